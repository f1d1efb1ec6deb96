// The page's connection to its recorder: who is signed in, and the stream of changes.

import { call } from '../api/call';
import { asApiError, type ApiError } from '../api/error';
import type { Change } from '../api/types';
import { socketUrl, start as startShell } from '../shell';
import { cameras, channels } from './cameras.svelte';
import { Changes, type Socket } from './changes';
import { storage } from './storage.svelte';

export type RecorderState = 'starting' | 'signed_out' | 'unreachable' | 'ready';

class Recorder {
  #state: RecorderState = $state('starting');
  #error: ApiError | undefined = $state.raw();
  #connected = $state(true);
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #changes = new Changes({
    open: async () => {
      const { url } = await call('event_token');
      return new WebSocket(socketUrl(url)) as Socket;
    },
    change: (change) => this.#apply(change),
    connected: (connected) => {
      this.#connected = connected;
    },
  });

  get state(): RecorderState {
    return this.#state;
  }

  /** Why the recorder could not be reached at start. */
  get error(): ApiError | undefined {
    return this.#error;
  }

  /** Whether changes are being followed. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Connects; to be called again to retry. */
  async start(): Promise<void> {
    try {
      const signedIn = await startShell(() => this.#signedOut());
      if (!signedIn) return this.#signedOut();
      this.#error = undefined;
      this.#state = 'ready';
      this.#changes.start();
      await Promise.all([cameras.reload(), channels.reload(), storage.reload()]);
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.code === 'unauthenticated') return this.#signedOut();
      this.#error = error;
      this.#state = 'unreachable';
    }
  }

  /** Tries again now. */
  hurry(): void {
    this.#changes.hurry();
  }

  /** Follows every change. Returns what ends it. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #apply(change: Change): void {
    if (change.type === 'resync') {
      void cameras.reload();
      void channels.reload();
      void storage.reload();
    } else {
      cameras.apply(change);
      channels.apply(change);
      storage.apply(change);
    }
    for (const listener of this.#listeners) listener(change);
  }

  #signedOut(): void {
    this.#changes.stop();
    cameras.clear();
    channels.clear();
    storage.clear();
    this.#state = 'signed_out';
  }
}

/** The recorder this page belongs to. */
export const recorder = new Recorder();
