// What a day of one channel holds, kept up to date while it goes on.

import { call } from '../api/call';
import { asApiError, type ApiError } from '../api/error';
import { rfc3339, dayRange, ms } from '../lib/time';
import { texts as common } from '../lib/texts';
import type { Span } from './day';
import { followed, type Hole } from './view';

/** An answer that takes so long will not come. */
const PATIENCE_MS = 30_000;

export class DayTimeline {
  stretches: readonly Span[] = $state.raw([]);
  holes: readonly Hole[] = $state.raw([]);
  /** End of the newest footage ever, milliseconds. */
  last: number | null = $state(null);
  loaded = $state(false);
  error: ApiError | null = $state.raw(null);
  #asking: AbortController | null = null;
  #answer: Promise<void> = Promise.resolve();
  #since = 0;
  #key = '';

  /**
   * Reads a day; what is shown of another day goes at once. Asked again while the answer is on its way, it waits for
   * that one: a slow recorder would never get to answer otherwise.
   */
  load(channel: string, day: string): Promise<void> {
    const key = `${channel} ${day}`;
    if (key !== this.#key) {
      this.#key = key;
      this.stretches = [];
      this.holes = [];
      this.loaded = false;
      this.last = null;
    } else if (this.#asking !== null && Date.now() - this.#since < PATIENCE_MS) {
      return this.#answer;
    }
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#since = Date.now();
    this.#answer = this.#read(channel, day, asking);
    return this.#answer;
  }

  async #read(channel: string, day: string, asking: AbortController): Promise<void> {
    const { start, end } = dayRange(day);
    try {
      const line = await call('timeline', { id: channel, start: rfc3339(start), end: rfc3339(end) }, asking.signal);
      if (asking.signal.aborted) return;
      this.stretches = followed(line.stretches.map((s) => ({ start: Date.parse(s.start), end: Date.parse(s.end) })));
      this.holes = line.gaps.map((g) => ({
        start: Date.parse(g.start),
        end: Date.parse(g.end),
        reason: g.reason ? common.reasons[g.reason.code] : null,
      }));
      this.last = ms(line.last) ?? null;
      this.loaded = true;
      this.error = null;
    } catch (thrown) {
      if (!asking.signal.aborted) this.error = asApiError(thrown);
    } finally {
      if (this.#asking === asking) this.#asking = null;
    }
  }

  /** Whether this is what it holds, read to the end. Reactive. */
  holds(channel: string | null, day: string): boolean {
    return this.loaded && this.#key === `${channel ?? ''} ${day}`;
  }

  close(): void {
    this.#asking?.abort();
  }
}
