// The stream of changes: one socket for the whole page, opened again whenever it ends.

import type { Change } from '../api/types';
import { Backoff } from './backoff';

/** The part of a WebSocket that is used. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  close(): void;
}

export interface ChangesOptions {
  /** Gets a fresh signed address and opens it. */
  open: () => Promise<Socket>;
  /** A change, in order. `resync` also comes after each time the socket was opened. */
  change: (change: Change) => void;
  /** Whether the recorder is being followed at this moment. */
  connected: (connected: boolean) => void;
  backoff?: Backoff;
  /** Waits before the next attempt; replaced in tests. */
  later?: (run: () => void, ms: number) => () => void;
  /** Waits for a word from the recorder; replaced in tests. */
  silence?: (run: () => void, ms: number) => () => void;
}

/** A connection of which nothing is heard for so long is dead: the recorder speaks every 20 s. */
const SILENT_MS = 60_000;

function afterTimeout(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

/** A change, or undefined for what is not one. */
export function readChange(data: unknown): Change | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && 'type' in value ? (value as Change) : undefined;
  } catch {
    return undefined;
  }
}

export class Changes {
  readonly #options: ChangesOptions;
  readonly #backoff: Backoff;
  #socket: Socket | undefined;
  /** Ends the wait for the next attempt. */
  #cancel: (() => void) | undefined;
  /** Ends the wait for a word. */
  #heard: (() => void) | undefined;
  /** What belongs to an earlier attempt is not listened to. */
  #attempt = 0;

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
  }

  start(): void {
    this.stop();
    void this.#connect();
  }

  /** Tries at once instead of at the end of the wait. */
  hurry(): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    void this.#connect();
  }

  stop(): void {
    this.#attempt += 1;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#heard?.();
    this.#heard = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    const current = () => attempt === this.#attempt;
    this.#listen();
    let socket: Socket;
    try {
      socket = await this.#options.open();
    } catch {
      if (current()) this.#lost();
      return;
    }
    if (!current()) return socket.close();
    this.#socket = socket;
    socket.onopen = () => {
      if (!current()) return;
      this.#listen();
      this.#backoff.reset();
      this.#options.connected(true);
      this.#options.change({ type: 'resync' });
    };
    socket.onmessage = ({ data }) => {
      if (!current()) return;
      this.#listen();
      const change = readChange(data);
      if (change !== undefined && change.type !== 'alive') this.#options.change(change);
    };
    socket.onclose = () => {
      if (current()) this.#lost();
    };
  }

  /** Waits for the next word. */
  #listen(): void {
    this.#heard?.();
    this.#heard = (this.#options.silence ?? afterTimeout)(() => this.#lost(), SILENT_MS);
  }

  #lost(): void {
    this.stop();
    this.#options.connected(false);
    this.#cancel = (this.#options.later ?? afterTimeout)(() => {
      this.#cancel = undefined;
      void this.#connect();
    }, this.#backoff.next());
  }
}
