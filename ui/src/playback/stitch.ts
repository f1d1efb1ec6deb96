// What to play next and from where: pure planning over the list of segments. Times are
// milliseconds since 1970, except where the name says seconds.

import type { Segment } from '../api/types';

/** A segment as the player sees it. */
export interface Part {
  start: number;
  end: number;
  /** Its run; the larger was recorded later. */
  run: number;
  /** Where it begins to play: its start, or the end of another recording of the same time. */
  from: number;
  /** Where another part cuts this one off; the end otherwise. */
  until: number;
  bytes: number;
  /** Still being written. */
  open: boolean;
  codecs: string;
  /** Null when the bytes are missing. */
  url: string | null;
}

/** Rows of the recorder as parts. */
export function toParts(rows: readonly Segment[], absolute: (path: string) => string): Part[] {
  return rows.map((row) => ({
    start: Date.parse(row.start),
    end: Date.parse(row.end),
    // Only the newest run is being written; what no run is known of gives way.
    run: row.run ?? (row.state === 'open' ? Number.POSITIVE_INFINITY : -1),
    from: Date.parse(row.start),
    until: Date.parse(row.end),
    bytes: row.bytes,
    open: row.state === 'open',
    codecs: row.codecs,
    url: row.state !== 'missing' && row.url ? absolute(row.url) : null,
  }));
}

/** A newer list over an older one: same start, newer wins. What the newer list covers and lacks is gone. */
export function merged(old: readonly Part[], fresh: readonly Part[], from: number, to: number): Part[] {
  const kept = old.filter((p) => p.end <= from || p.start >= to);
  const starts = new Set(fresh.map((p) => p.start));
  return [...kept.filter((p) => !starts.has(p.start)), ...fresh].sort((a, b) => a.start - b.start);
}

/** Which recording of a time plays where there are two, as after a clock set back. */
export type Choice = 'newer' | 'older';

interface Span {
  from: number;
  until: number;
}

/**
 * What plays of each part, oldest first. Where runs overlap, one of them plays as a whole instead
 * of both by turns; parts of which nothing is left are left out.
 */
export function arranged(parts: readonly Part[], choice: Choice = 'newer'): Part[] {
  const sign = choice === 'newer' ? -1 : 1;
  const ranks = [...new Set(parts.map((p) => p.run))].sort((a, b) => (a < b ? -sign : sign));
  const taken: Span[] = [];
  const found: Part[] = [];
  for (const run of ranks) {
    const own = cutByNext(parts.filter((p) => p.run === run));
    for (const part of own) {
      const rest = remainder(part, taken);
      if (rest) found.push({ ...part, ...rest });
    }
    // What is being written goes on before the next list tells so.
    for (const p of own) taken.push({ from: p.from, until: p.open ? p.until + OPEN_GROWS_MS : p.until });
  }
  return found.sort((a, b) => a.from - b.from);
}

/** Within a run, or of unknown runs: what begins later cuts what began before. */
function cutByNext(parts: readonly Part[]): Part[] {
  const sorted = [...parts].sort((a, b) => a.start - b.start);
  return sorted.map((part, i) => {
    const next = sorted[i + 1];
    const cut = next !== undefined && next.start < part.end - OVERLAP_MS && !part.open;
    return { ...part, from: part.start, until: cut ? next.start : part.end };
  });
}

/** What others leave of a part: the stretch before them, or the one after; null when nothing. */
function remainder(part: Part, taken: readonly Span[]): Span | null {
  let { from, until } = part;
  for (;;) {
    const over = taken.find((t) => Math.min(t.until, until) - Math.max(t.from, from) > OVERLAP_MS);
    if (!over) return { from, until };
    if (over.from - from > OVERLAP_MS) until = over.from;
    else if (until - over.until > OVERLAP_MS) from = over.until;
    else return null;
  }
}

/** Whether two runs hold a moment. */
export function isDoubled(parts: readonly Part[], ms: number): boolean {
  const there = parts.filter((p) => p.url !== null && ms >= p.start && ms < p.end - OVERLAP_MS);
  return new Set(there.map((p) => p.run)).size > 1;
}

const OPEN_GROWS_MS = 60_000;
/** Borders inside a run differ by rounding; more than this is footage recorded twice. */
const OVERLAP_MS = 200;
/** Less than this between two parts is a border, not a gap. */
export const GAP_MS = 500;

/** The part to begin with when asked for a moment: the one that holds it, or the first after it. */
export function partAt(parts: readonly Part[], ms: number): Part | null {
  return parts.find((p) => ms < p.until && p.url !== null) ?? null;
}

export function partAfter(parts: readonly Part[], part: Part): Part | null {
  return parts.find((p) => p.from > part.from && p.url !== null) ?? null;
}

/** The start of the segment before, or of this one when it has played for a while. */
export function previousStart(parts: readonly Part[], ms: number): number | null {
  const RESTART_MS = 3_000;
  let found: number | null = null;
  for (const part of parts) {
    if (part.from > ms - RESTART_MS) break;
    found = part.from;
  }
  return found;
}

export function nextStart(parts: readonly Part[], ms: number): number | null {
  return parts.find((p) => p.from > ms)?.from ?? null;
}

/** Codec families; parts of the same families share one source buffer, others need a new one. */
export function families(codecs: string): string {
  return codecs
    .split(',')
    .map((c) => c.trim())
    // MP3 goes by the same name as AAC.
    .map((c) => (/^mp4a\.6[9b]$/i.test(c) ? 'mp3' : (c.split('.')[0] ?? '')))
    .map((f) => (f === 'avc3' ? 'avc1' : f === 'hev1' ? 'hvc1' : f))
    .join('+');
}

export function mimeOf(codecs: string): string {
  return `video/mp4; codecs="${codecs}"`;
}

export function isH265(codecs: string): boolean {
  return families(codecs).includes('hvc1');
}

const AHEAD_S = 40;
const FAST_AHEAD_S = 90;
const MIN_AHEAD_S = 8;
const AHEAD_BYTES = 64 * 1024 * 1024;

/** Seconds of footage to hold ahead: more when playing fast, less when the seconds are large. */
export function aheadTarget(speed: number, part: Part | null): number {
  const wanted = speed > 2 ? FAST_AHEAD_S : AHEAD_S;
  if (!part || part.bytes <= 0) return wanted;
  const perSecond = part.bytes / Math.max(1, (part.end - part.start) / 1000);
  return Math.max(MIN_AHEAD_S, Math.min(wanted, AHEAD_BYTES / perSecond));
}

export interface Range {
  start: number;
  end: number;
}

/** Seconds of footage after a position, holes left out. */
export function secondsAhead(ranges: readonly Range[], position: number): number {
  let sum = 0;
  for (const r of ranges) if (r.end > position) sum += r.end - Math.max(r.start, position);
  return sum;
}

const KEEP_BEHIND_S = 20;
const TRIM_STEP_S = 10;

/** Everything before this second can go; null when it is not worth the work. */
export function trimTo(ranges: readonly Range[], position: number): number | null {
  const first = ranges[0];
  if (!first) return null;
  const to = position - KEEP_BEHIND_S;
  return to - first.start >= TRIM_STEP_S ? to : null;
}

/** Distance to the end of a range at which playing has come to its end. */
const AT_END_S = 0.06;
/** The same when playing has stopped by itself: the last frames of one track may lack the other's. */
const STUCK_END_S = 0.5;

/**
 * Where to jump when playing has come to the end of a range or stands in none: the start of the
 * next range, null when there is none yet or nothing to do.
 */
export function jumpTo(ranges: readonly Range[], position: number, stuck: boolean): number | null {
  const edge = stuck ? STUCK_END_S : AT_END_S;
  const here = ranges.find((r) => position >= r.start - 0.01 && position < r.end - edge);
  if (here) return null;
  const next = ranges.find((r) => r.start > position);
  return next ? next.start : null;
}

/** Whether a position can be shown without fetching anything. */
export function isHeld(ranges: readonly Range[], position: number): boolean {
  return ranges.some((r) => position >= r.start - 0.05 && position < r.end - AT_END_S);
}

/** What an answer to a request for a part's bytes means. */
export type Answer = 'bytes' | 'nothing_new' | 'whole' | 'stale' | 'gone' | 'later';

export function answerOf(status: number, offset: number): Answer {
  if (status === 206) return 'bytes';
  if (status === 200) return offset === 0 ? 'bytes' : 'whole';
  if (status === 416) return 'nothing_new';
  if (status === 401 || status === 403) return 'stale';
  if (status === 404 || status === 410) return 'gone';
  return 'later';
}

/** Where the decoder refused, and how often. */
export interface Refused {
  at: number;
  times: number;
}

const SAME_PLACE_MS = 1_000;
/** Key frames are seldom further apart than this. */
const SKIP_MS = 4_000;

/**
 * Where to go on after the decoder refused what is at a moment: there once more, it may have been
 * an accident; then some seconds on, past the next key frame, or in the next part.
 */
export function afterRefusal(before: Refused | null, at: number, parts: readonly Part[]): { refused: Refused; to: number } {
  const same = before !== null && Math.abs(at - before.at) < SAME_PLACE_MS;
  const times = same ? before.times + 1 : 1;
  if (times < 2) return { refused: { at, times }, to: at };
  const here = partAt(parts, at);
  const next = here && partAfter(parts, here);
  const on = at + SKIP_MS;
  const to = next && (on >= here.until || here.until - at < 2 * SKIP_MS) ? next.from : on;
  // One refusal is enough where the skip ends: it is the same damage.
  return { refused: { at: to, times: 1 }, to };
}
