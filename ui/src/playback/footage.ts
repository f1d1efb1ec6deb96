// What the recorder holds of one camera, asked for in windows and remembered for a while.

import { call } from '../api/call';
import { mediaUrl } from '../shell';
import { arranged, isDoubled, merged, partAfter, partAt, toParts, type Choice, type Part } from './stitch';

/** Where the parts come from; the recorder, or a test. */
export interface FootageSource {
  /** Parts that touch a window. */
  parts(from: number, to: number, signal: AbortSignal): Promise<Part[]>;
  /** Start of the first footage at or after a moment, null when there is none. */
  next(after: number, signal: AbortSignal): Promise<number | null>;
}

export function recorderSource(cameraId: string, channelId: string): FootageSource {
  return {
    async parts(from, to, signal) {
      const start = new Date(from).toISOString();
      const end = new Date(to).toISOString();
      const rows = [];
      let after: string | undefined;
      do {
        const page = await call('segment_list', { camera_id: cameraId, start, end, ...(after ? { after } : {}) }, signal);
        rows.push(...page.items);
        after = page.next ?? undefined;
      } while (after !== undefined);
      return toParts(rows, mediaUrl);
    },
    async next(after, signal) {
      const start = new Date(after).toISOString();
      const end = new Date(Date.now() + 60_000).toISOString();
      if (after >= Date.now() + 60_000) return null;
      const { stretches } = await call('timeline', { id: channelId, start, end }, signal);
      for (const stretch of stretches) {
        if (Date.parse(stretch.end) > after) return Math.max(after, Date.parse(stretch.start));
      }
      return null;
    },
  };
}

/** How far a list reaches on either side of what is played. */
const BEHIND_MS = 2 * 60_000;
const WINDOW_MS = 10 * 60_000;
/** Signed URLs live an hour. */
const STALE_MS = 20 * 60_000;
/** No more than this is remembered around the play position. */
const REMEMBER_MS = 60 * 60_000;

/** The list of parts around the play position, kept fresh. */
export class Footage {
  readonly #source: FootageSource;
  /** All that was listed, also what another recording of the same time hides. */
  #rows: Part[] = [];
  #parts: Part[] = [];
  #choice: Choice = 'newer';
  #listed: { from: number; to: number; at: number } | null = null;

  constructor(source: FootageSource) {
    this.#source = source;
  }

  get parts(): readonly Part[] {
    return this.#parts;
  }

  get choice(): Choice {
    return this.#choice;
  }

  /** Which recording plays where there are two. */
  choose(choice: Choice): void {
    this.#choice = choice;
    this.#parts = arranged(this.#rows, choice);
  }

  /** Whether two recordings hold a moment. */
  isDoubled(ms: number): boolean {
    return isDoubled(this.#rows, ms);
  }

  /** The part to begin with at a moment, null when there is no footage from there on. */
  async at(ms: number, signal: AbortSignal): Promise<Part | null> {
    await this.#covering(ms, signal);
    const part = partAt(this.#parts, ms);
    if (part) return part;
    const next = await this.#source.next(ms, signal);
    if (next === null) return null;
    await this.#list(next - BEHIND_MS, next + WINDOW_MS, signal);
    return partAt(this.#parts, next);
  }

  /** The part after another, null when there is none yet. */
  async after(part: Part, signal: AbortSignal): Promise<Part | null> {
    const known = partAfter(this.#parts, part);
    if (known && this.#isFresh(known)) return known;
    await this.#list(part.start, part.end + WINDOW_MS, signal);
    const listed = partAfter(this.#parts, part);
    if (listed) return listed;
    const next = await this.#source.next(Math.max(part.end, part.start) + 1, signal);
    if (next === null) return null;
    await this.#list(next, next + WINDOW_MS, signal);
    return partAfter(this.#parts, part);
  }

  /** The same part as the recorder sees it now, null when it is gone. */
  async again(part: Part, signal: AbortSignal): Promise<Part | null> {
    await this.#list(part.start, part.end + WINDOW_MS, signal);
    // One that another recording hides by now is still there, and plays as it did.
    const listed = this.#parts.find((p) => p.start === part.start);
    const hidden = this.#rows.find((p) => p.start === part.start);
    return listed ?? (hidden ? { ...hidden, from: part.from, until: part.until } : null);
  }

  async #covering(ms: number, signal: AbortSignal): Promise<void> {
    const l = this.#listed;
    if (l && ms >= l.from && ms < l.to && Date.now() - l.at < STALE_MS && ms < Date.now() - WINDOW_MS) return;
    await this.#list(ms - BEHIND_MS, ms + WINDOW_MS, signal);
  }

  #isFresh(part: Part): boolean {
    // An open one has grown since it was listed.
    return !part.open && this.#listed !== null && Date.now() - this.#listed.at < STALE_MS;
  }

  async #list(from: number, to: number, signal: AbortSignal): Promise<void> {
    const fresh = await this.#source.parts(from, to, signal);
    signal.throwIfAborted();
    const near = this.#rows.filter((p) => p.end > from - REMEMBER_MS && p.start < to + REMEMBER_MS);
    this.#rows = merged(near, fresh, from, to);
    this.#parts = arranged(this.#rows, this.#choice);
    this.#listed = { from, to, at: Date.now() };
  }
}
