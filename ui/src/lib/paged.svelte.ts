// A list that is read in pages, newest first, and follows changes while it is shown.

import { asApiError, type ApiError } from '../api/error';
import type { Change } from '../api/types';
import { recorder } from './recorder.svelte';
import { changedRows, mergedRows, type Order, type RowChange } from './rows';

export interface PagedSource<T> extends Order<T> {
  /** Reads a page; `after` is `next` of the page before. */
  read: (after: string | null) => Promise<{ items: readonly T[]; next?: string | null }>;
  /** What a change means for this list. */
  change: (change: Change) => RowChange<T>;
  /** Whether a row that changed belongs here, as by a filter. */
  belongs: (row: T) => boolean;
}

export class Paged<T> {
  rows: readonly T[] = $state.raw([]);
  loaded = $state(false);
  busy = $state(false);
  error: ApiError | undefined = $state.raw();
  #next: string | undefined = $state();
  #round = 0;
  /** Changes that came while the first page was being read. */
  #held: RowChange<T>[] | undefined;
  readonly #source: PagedSource<T>;

  constructor(source: PagedSource<T>) {
    this.#source = source;
  }

  /** Whether there are older rows. */
  get more(): boolean {
    return this.#next !== undefined;
  }

  /** Reads the newest rows anew. `clear` forgets at once what is shown, as for another filter. */
  async load(options: { clear?: boolean } = {}): Promise<void> {
    if (options.clear === true) {
      this.rows = [];
      this.loaded = false;
    }
    await this.#read(null);
  }

  /** Adds older rows. */
  async older(): Promise<void> {
    if (this.#next !== undefined && !this.busy) await this.#read(this.#next);
  }

  /** Adds older rows until one is older than a moment, or there are no more. */
  async reach(moment: number): Promise<void> {
    for (;;) {
      const last = this.rows.at(-1);
      if (this.#next === undefined || this.error !== undefined || this.busy) return;
      if (last !== undefined && this.#source.at(last) < moment) return;
      await this.older();
    }
  }

  /** Takes up a row as an operation answered it, before the change comes. */
  put(row: T): void {
    this.#apply({ row });
  }

  /** Takes out a row that an operation deleted. */
  drop(id: string): void {
    this.#apply({ gone: id });
  }

  /** Follows changes. Returns what ends it. */
  follow(): () => void {
    return recorder.onChange((change) => {
      if (change.type === 'resync') void this.load();
      else this.#apply(this.#source.change(change));
    });
  }

  #apply(change: RowChange<T>): void {
    if (change === null) return;
    this.#held?.push(change);
    this.rows = changedRows(this.rows, change, this.#source, this.#source.belongs);
  }

  async #read(after: string | null): Promise<void> {
    const round = ++this.#round;
    const held: RowChange<T>[] = [];
    this.#held = held;
    this.busy = true;
    try {
      const page = await this.#source.read(after);
      if (round !== this.#round) return;
      let rows = mergedRows(after === null ? [] : this.rows, page.items, this.#source);
      for (const change of held) rows = changedRows(rows, change, this.#source, this.#source.belongs);
      this.rows = rows;
      this.#next = page.next ?? undefined;
      this.loaded = true;
      this.error = undefined;
    } catch (thrown) {
      if (round === this.#round) this.error = asApiError(thrown);
    } finally {
      if (round === this.#round) {
        this.#held = undefined;
        this.busy = false;
      }
    }
  }
}
