// Staying at the live edge of a growing buffer. Pure.

export const SEEK_BEHIND_S = 1;
export const HURRY_BEHIND_S = 0.35;
const CALM_BEHIND_S = 0.2;
const HURRY_RATE = 1.1;
const KEEP_BEHIND_S = 10;
const TRIM_AT_S = 20;

export interface Range {
  start: number;
  end: number;
}

export interface EdgeMove {
  seekTo: number | null;
  rate: number;
  /** Remove everything before this time. */
  trimTo: number | null;
}

/** What to do with the play position, given the last buffered range. */
export function liveEdge(position: number, rate: number, first: Range | null, last: Range | null): EdgeMove {
  if (!first || !last) return { seekTo: null, rate: 1, trimTo: null };
  const behind = last.end - position;
  const outside = position < last.start || position > last.end;
  const trimTo = position - first.start > TRIM_AT_S ? position - KEEP_BEHIND_S : null;
  if (behind > SEEK_BEHIND_S || outside) {
    // A little before the end, so that the next frame does not find an empty buffer.
    return { seekTo: Math.max(last.start, last.end - 0.1), rate: 1, trimTo };
  }
  if (behind > HURRY_BEHIND_S) return { seekTo: null, rate: HURRY_RATE, trimTo };
  // Hurrying goes on until it is calm, so that the rate does not flutter around one threshold.
  const hurrying = rate > 1 && behind > CALM_BEHIND_S;
  return { seekTo: null, rate: hurrying ? HURRY_RATE : 1, trimTo };
}

/** First and last of a media element's ranges. */
export function ends(ranges: TimeRanges): { first: Range | null; last: Range | null } {
  const n = ranges.length;
  if (n === 0) return { first: null, last: null };
  return {
    first: { start: ranges.start(0), end: ranges.end(0) },
    last: { start: ranges.start(n - 1), end: ranges.end(n - 1) },
  };
}
