// A selected range of the timeline: how it begins, changes and is named. Pure.

import type { Span } from './day';

export type Edge = 'start' | 'end';

/** Nothing shorter can be selected. */
export const SHORTEST_MS = 1_000;
/** What a selection spans when only one of its ends is known. */
const USUAL_MS = 30_000;

/** The range between two moments, whichever comes first. */
export function between(a: number, b: number): Span {
  const start = Math.min(a, b);
  return { start, end: Math.max(a, b, start + SHORTEST_MS) };
}

/** The range with an edge elsewhere; it stops at the other edge. */
export function withEdge(range: Span, edge: Edge, at: number): Span {
  return edge === 'start'
    ? { start: Math.min(at, range.end - SHORTEST_MS), end: range.end }
    : { start: range.start, end: Math.max(at, range.start + SHORTEST_MS) };
}

/** A selection that begins at a moment: a new one, or the old one as long as that leaves some of it. */
export function beginningAt(range: Span | null, at: number): Span {
  if (range !== null && at <= range.end - SHORTEST_MS) return { start: at, end: range.end };
  return { start: at, end: at + (range === null ? USUAL_MS : range.end - range.start) };
}

/** A selection that ends at a moment. */
export function endingAt(range: Span | null, at: number): Span {
  if (range !== null && at >= range.start + SHORTEST_MS) return { start: range.start, end: at };
  return { start: at - (range === null ? USUAL_MS : range.end - range.start), end: at };
}

/** How far a key moves an edge; null for a key that does not. */
export function edgeStep(key: string, far: boolean): number | null {
  const by = far ? 10_000 : 1_000;
  if (key === 'ArrowLeft' || key === 'ArrowDown') return -by;
  if (key === 'ArrowRight' || key === 'ArrowUp') return by;
  return null;
}

/** Those of some ranges that share time with another. */
export function overlapping<T extends Span>(ranges: readonly T[], range: Span): T[] {
  return ranges.filter((r) => r.start < range.end && r.end > range.start);
}
