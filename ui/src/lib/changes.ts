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
  /** Waits; replaced in tests. */
  later?: (run: () => void, ms: number) => () => void;
}

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
  #cancel: (() => void) | undefined;
  #round = 0;

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
  }

  start(): void {
    this.stop();
    void this.#connect(this.#round);
  }

  /** Tries at once instead of at the end of the wait. */
  hurry(): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    void this.#connect(this.#round);
  }

  stop(): void {
    this.#round += 1;
    this.#cancel?.();
    this.#cancel = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  async #connect(round: number): Promise<void> {
    let socket: Socket;
    try {
      socket = await this.#options.open();
    } catch {
      if (round === this.#round) this.#lost(round);
      return;
    }
    if (round !== this.#round) return socket.close();
    this.#socket = socket;
    socket.onopen = () => {
      if (round !== this.#round) return;
      this.#backoff.reset();
      this.#options.connected(true);
      this.#options.change({ type: 'resync' });
    };
    socket.onmessage = ({ data }) => {
      const change = round === this.#round ? readChange(data) : undefined;
      if (change !== undefined) this.#options.change(change);
    };
    socket.onclose = () => {
      if (round !== this.#round) return;
      this.#socket = undefined;
      this.#lost(round);
    };
  }

  #lost(round: number): void {
    this.#options.connected(false);
    const later = this.#options.later ?? afterTimeout;
    this.#cancel = later(() => {
      this.#cancel = undefined;
      void this.#connect(round);
    }, this.#backoff.next());
  }
}
