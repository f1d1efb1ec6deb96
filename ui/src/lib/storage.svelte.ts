// How storage stands, for every page: what is wrong with it is shown wherever somebody is.

import { call } from '../api/call';
import { asApiError, type ApiError } from '../api/error';
import type { Change, Storage } from '../api/types';
import { reduceStorage } from './reduce';

class StorageState {
  #now: Storage | undefined = $state.raw();
  #error: ApiError | undefined = $state.raw();
  /** Changes that came while it was being read. */
  #held: Change[] | undefined;

  /** As it stands; undefined before it was read. */
  get now(): Storage | undefined {
    return this.#now;
  }

  /** Why it could not be read the last time it was tried. */
  get error(): ApiError | undefined {
    return this.#error;
  }

  /** Reads it again. */
  async reload(): Promise<void> {
    await this.run(() => call('storage_get')).catch((thrown: unknown) => (this.#error = asApiError(thrown)));
  }

  /** Takes what an operation answers, with the changes that came meanwhile. Throws what it throws. */
  async run(operation: () => Promise<Storage>): Promise<Storage> {
    const held: Change[] = [];
    this.#held = held;
    try {
      const next = held.reduce(reduceStorage, await operation());
      this.#now = next;
      this.#error = undefined;
      return next;
    } finally {
      if (this.#held === held) this.#held = undefined;
    }
  }

  apply(change: Change): void {
    this.#held?.push(change);
    if (this.#now !== undefined) this.#now = reduceStorage(this.#now, change);
  }

  clear(): void {
    this.#held = undefined;
    this.#now = undefined;
    this.#error = undefined;
  }
}

/** The recorder's storage. */
export const storage = new StorageState();
