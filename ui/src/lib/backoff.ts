// Waiting times between attempts: doubled each time, with jitter so that many viewers of one
// recorder do not come back at the same moment.

export class Backoff {
  #attempt = 0;
  readonly #first: number;
  readonly #most: number;
  readonly #random: () => number;

  /** Milliseconds of the first wait and of the longest. */
  constructor(first = 500, most = 10_000, random: () => number = Math.random) {
    this.#first = first;
    this.#most = most;
    this.#random = random;
  }

  /** The next wait in milliseconds: 75 to 100 % of the step. */
  next(): number {
    const step = Math.min(this.#most, this.#first * 2 ** Math.min(this.#attempt, 16));
    this.#attempt += 1;
    return step * (0.75 + 0.25 * this.#random());
  }

  reset(): void {
    this.#attempt = 0;
  }
}
