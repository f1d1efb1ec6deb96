// The visible part of the timeline: zoom, pan, ticks, what is under the pointer. Pure.

import { clockMinute, clockTime } from '../lib/time';
import { offsetAt, type Span } from './day';

export const MIN_SPAN_MS = 60_000;

export interface Hole extends Span {
  /** Sentence for a person, null when nobody knows. */
  reason: string | null;
}

export function xOf(ms: number, view: Span, width: number): number {
  return ((ms - view.start) / (view.end - view.start)) * width;
}

export function msAt(x: number, view: Span, width: number): number {
  return view.start + (x / width) * (view.end - view.start);
}

/** The view, moved and if need be shrunk into the bounds. */
export function within(view: Span, bounds: Span): Span {
  const span = Math.min(Math.max(view.end - view.start, MIN_SPAN_MS), bounds.end - bounds.start);
  const start = Math.min(Math.max(view.start, bounds.start), bounds.end - span);
  return { start, end: start + span };
}

/** Zooms so that the moment `at` stays where it is on the screen. `factor` below 1 comes closer. */
export function zoomed(view: Span, at: number, factor: number, bounds: Span): Span {
  const span = view.end - view.start;
  const next = Math.min(Math.max(span * factor, MIN_SPAN_MS), bounds.end - bounds.start);
  const share = (at - view.start) / span;
  const start = at - share * next;
  return within({ start, end: start + next }, bounds);
}

export function panned(view: Span, byMs: number, bounds: Span): Span {
  return within({ start: view.start + byMs, end: view.end + byMs }, bounds);
}

/** The view, moved just so that the moment is in sight; the same object when it already is. */
export function showing(view: Span, ms: number, bounds: Span): Span {
  const span = view.end - view.start;
  if (ms >= view.start && ms <= view.end) return view;
  return within({ start: ms - span * 0.25, end: ms + span * 0.75 }, bounds);
}

export interface Tick {
  ms: number;
  label: string | null;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Distance of labelled ticks, and of the small ones between them. */
const STEPS: readonly (readonly [number, number])[] = [
  [5 * SECOND, SECOND], [10 * SECOND, SECOND], [15 * SECOND, 5 * SECOND], [30 * SECOND, 5 * SECOND],
  [MINUTE, 10 * SECOND], [2 * MINUTE, 30 * SECOND], [5 * MINUTE, MINUTE], [10 * MINUTE, MINUTE],
  [15 * MINUTE, 5 * MINUTE], [30 * MINUTE, 5 * MINUTE], [HOUR, 10 * MINUTE], [2 * HOUR, 30 * MINUTE],
  [3 * HOUR, HOUR], [6 * HOUR, HOUR],
];
const LABEL_PIXELS = 76;

/** Ticks at round times of the wall clock, labels at least a label's width apart. */
export function ticks(view: Span, width: number, zone: string): Tick[] {
  if (width <= 0) return [];
  const perPixel = (view.end - view.start) / width;
  const [major, minor] = STEPS.find(([step]) => step / perPixel >= LABEL_PIXELS) ?? [12 * HOUR, HOUR];
  const found: Tick[] = [];
  // The wall clock may jump inside the view, so each tick is placed with its own offset.
  let ms = view.start;
  while (ms <= view.end && found.length < 2000) {
    const offset = offsetAt(ms, zone);
    const round = Math.ceil((ms + offset) / minor) * minor - offset;
    if (round > view.end) break;
    // The step to the round time may lead over a jump; then look again from there.
    const there = offsetAt(round, zone);
    if (there !== offset && (round + there) % minor !== 0) {
      ms = round;
      continue;
    }
    const labelled = (round + there) % major === 0;
    found.push({ ms: round, label: labelled ? (major < MINUTE ? clockTime(round, zone) : clockMinute(round, zone)) : null });
    ms = round + 1;
  }
  return found;
}

export interface Bar {
  x: number;
  width: number;
}

/** Thinnest bar in pixels: a second of footage is still found in a whole day. */
const MIN_BAR = 2;

/** Stretches as bars in pixels: clipped to the view, never too thin to see, neighbours merged. */
export function bars(stretches: readonly Span[], view: Span, width: number): Bar[] {
  const found: Bar[] = [];
  for (const s of stretches) {
    if (s.end <= view.start || s.start >= view.end) continue;
    const x = Math.max(0, xOf(s.start, view, width));
    const end = Math.max(Math.min(width, xOf(s.end, view, width)), x + MIN_BAR);
    const last = found.at(-1);
    // A hole thinner than half a pixel cannot be seen.
    if (last && x - (last.x + last.width) < 0.5) last.width = Math.max(last.width, end - last.x);
    else found.push({ x, width: end - x });
  }
  return found;
}

export type Under = { kind: 'footage'; span: Span } | { kind: 'hole'; hole: Hole } | { kind: 'nothing' };

/** What is at a moment. Footage wins over a hole, and a near stretch wins within `slackMs`. */
export function under(ms: number, stretches: readonly Span[], holes: readonly Hole[], slackMs: number): Under {
  const inside = stretches.find((s) => ms >= s.start && ms < s.end);
  if (inside) return { kind: 'footage', span: inside };
  const thin = stretches.find((s) => s.end - s.start < slackMs && ms >= s.start - slackMs && ms < s.end + slackMs);
  if (thin) return { kind: 'footage', span: thin };
  const hole = holes.find((h) => ms >= h.start && ms < h.end);
  return hole ? { kind: 'hole', hole } : { kind: 'nothing' };
}

/** Where playing starts when asked for a moment: there, or at the next footage; null after the last. */
export function footageAt(ms: number, stretches: readonly Span[]): number | null {
  for (const s of stretches) {
    if (ms < s.start) return s.start;
    if (ms < s.end) return ms;
  }
  return null;
}

/** Stretches that follow one another within a border's rounding are one. */
export function followed(stretches: readonly Span[]): Span[] {
  const BORDER_MS = 500;
  const found: Span[] = [];
  for (const s of stretches) {
    const last = found.at(-1);
    if (last && s.start - last.end <= BORDER_MS) last.end = Math.max(last.end, s.end);
    else found.push({ start: s.start, end: s.end });
  }
  return found;
}

/** The moment so much footage away, holes not counted; the edge of the footage when there is less. */
export function stepped(at: number, by: number, stretches: readonly Span[]): number {
  if (stretches.length === 0) return at + by;
  return by < 0 ? steppedBack(at, -by, stretches) : steppedOn(at, by, stretches);
}

function steppedBack(at: number, by: number, stretches: readonly Span[]): number {
  let left = by;
  for (const s of [...stretches].reverse()) {
    if (s.start >= at) continue;
    const from = Math.min(at, s.end);
    if (from - s.start >= left) return from - left;
    left -= from - s.start;
  }
  // Before the footage that is known: another day's.
  return (stretches[0]?.start ?? at) - left;
}

function steppedOn(at: number, by: number, stretches: readonly Span[]): number {
  let left = by;
  for (const s of stretches) {
    if (s.end <= at) continue;
    const from = Math.max(at, s.start);
    if (s.end - from > left) return from + left;
    left -= s.end - from;
  }
  return (stretches.at(-1)?.end ?? at) + left;
}

/** Why there is no footage between two moments: the longest known cause. */
export function reasonOf(from: number, to: number, holes: readonly Hole[]): string | null {
  let longest = 0;
  let reason: string | null = null;
  for (const hole of holes) {
    const shared = Math.min(to, hole.end) - Math.max(from, hole.start);
    if (hole.reason !== null && shared > longest) {
      longest = shared;
      reason = hole.reason;
    }
  }
  return reason;
}

/** Spans a day is first shown in, widest first; the whole day comes before them. */
const FIRST_SPANS: readonly number[] = [12 * HOUR, 8 * HOUR, 4 * HOUR, 2 * HOUR, HOUR, 30 * MINUTE, 10 * MINUTE];
/** Share of the first view that shows footage. */
const FULL_ENOUGH = 0.25;
/** Where the moment stands in the first view: most of what is interesting came before it. */
const FOCUS = 0.7;

/**
 * What to show of a day at first: as much around a moment as is reasonably full of footage, so
 * that a day with little of it does not look empty. Without a moment, around the newest footage.
 */
export function fitted(stretches: readonly Span[], bounds: Span, at: number | null): Span {
  const newest = stretches.at(-1);
  if (!newest) return bounds;
  const inDay = at !== null && at >= bounds.start && at < bounds.end;
  const focus = inDay ? at : newest.end;
  const share = (view: Span): number => {
    let covered = 0;
    for (const s of stretches) covered += Math.max(0, Math.min(s.end, view.end) - Math.max(s.start, view.start));
    return covered / (view.end - view.start);
  };
  if (share(bounds) >= FULL_ENOUGH) return bounds;
  let view = bounds;
  for (const span of FIRST_SPANS) {
    view = within({ start: focus - span * FOCUS, end: focus + span * (1 - FOCUS) }, bounds);
    if (share(view) >= FULL_ENOUGH) return view;
  }
  return view;
}
