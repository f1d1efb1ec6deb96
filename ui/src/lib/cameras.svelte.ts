// Cameras and channels as they are now, for every page.

import { call } from '../api/call';
import { asApiError, type ApiError } from '../api/error';
import type { Camera, Change, Channel } from '../api/types';
import { reduceCameras, reduceChannels, sorted } from './reduce';

interface Row {
  id: string;
  name: string;
}

/** A list that is read once and then follows changes. */
class Rows<T extends Row> {
  #rows: readonly T[] = $state.raw([]);
  #loaded = $state(false);
  #error: ApiError | undefined = $state.raw();
  /** Changes that came while the list was being read. */
  #held: Change[] | undefined;
  #index: ReadonlyMap<string, T> = $derived(new Map(this.#rows.map((row) => [row.id, row])));
  readonly #read: () => Promise<readonly T[]>;
  readonly #reduce: (rows: readonly T[], change: Change) => readonly T[];

  constructor(read: () => Promise<readonly T[]>, reduce: (rows: readonly T[], change: Change) => readonly T[]) {
    this.#read = read;
    this.#reduce = reduce;
  }

  /** By name. */
  get list(): readonly T[] {
    return this.#rows;
  }

  /** Whether the list was read at least once. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Why the list could not be read the last time it was tried. */
  get error(): ApiError | undefined {
    return this.#error;
  }

  byId(id: string | null | undefined): T | undefined {
    return id == null ? undefined : this.#index.get(id);
  }

  /** Reads the list again; changes that come meanwhile are applied to what was read. */
  async reload(): Promise<void> {
    const held: Change[] = [];
    this.#held = held;
    try {
      const rows = sorted(await this.#read());
      if (this.#held !== held) return;
      this.#rows = held.reduce(this.#reduce, rows);
      this.#loaded = true;
      this.#error = undefined;
    } catch (thrown) {
      if (this.#held === held) this.#error = asApiError(thrown);
    } finally {
      if (this.#held === held) this.#held = undefined;
    }
  }

  apply(change: Change): void {
    this.#held?.push(change);
    this.#rows = this.#reduce(this.#rows, change);
  }

  clear(): void {
    this.#held = undefined;
    this.#rows = [];
    this.#loaded = false;
    this.#error = undefined;
  }
}

class Cameras extends Rows<Camera> {
  #channels: ReadonlyMap<string, Camera> = $derived(
    new Map(this.list.flatMap((camera) => (camera.channel_id == null ? [] : [[camera.channel_id, camera]]))),
  );

  constructor() {
    super(async () => (await call('camera_list')).items, reduceCameras);
  }

  /** The camera behind a channel. */
  byChannel(id: string | null | undefined): Camera | undefined {
    return id == null ? undefined : this.#channels.get(id);
  }
}

class Channels extends Rows<Channel> {
  constructor() {
    super(async () => (await call('channel_list')).items, reduceChannels);
  }
}

/** Cameras. */
export const cameras = new Cameras();

/** Channels. */
export const channels = new Channels();
