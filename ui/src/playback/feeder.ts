// Brings the bytes of one part into the buffer: from where asked, as they come, in whole
// fragments, and on as the part grows while it is being written.

import { pause } from './buffer';
import { FragmentCutter, offsetAt, readHead, type Piece } from './mp4';
import { answerOf, type Part } from './stitch';

const HEAD_BYTES = 32 * 1024;
/** Below this it is cheaper to read from the start than to ask for the index first. */
const NEAR_START_MS = 4_000;
const GROWTH_POLL_MS = 500;
const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 5_000;
/** Between being written and being listed as closed a part may be nowhere for a moment. */
const EDGE_MS = 60_000;
const EDGE_POLL_MS = 500;
const EDGE_POLLS = 12;

export interface FeedHost {
  /** Takes one piece; resolves when there is room for the next. */
  take(piece: Piece, part: Part, signal: AbortSignal): Promise<void>;
  /** The part as it is now: grown, closed, with a fresh URL; null when it is gone. */
  again(part: Part, signal: AbortSignal): Promise<Part | null>;
  /** Bytes do not come; it is tried again. Null when they do again. */
  trouble(message: string | null): void;
}

/** Feeds a part from a moment to its end. Resolves with the part as it was last seen; null when it is gone. */
export async function feed(part: Part, from: number, host: FeedHost, signal: AbortSignal): Promise<Part | null> {
  let current = part;
  let offset = 0;
  if (from - part.start > NEAR_START_MS && !part.open) offset = await enter(part, from, host, signal);
  let failures = 0;
  let missing = 0;
  for (;;) {
    const { url } = current;
    if (url === null) return null;
    let outcome: Outcome;
    try {
      outcome = await read(current, url, offset, host, signal);
      failures = outcome.kind === 'later' ? failures + 1 : 0;
    } catch (error) {
      if (signal.aborted || !isNetwork(error)) throw error;
      failures += 1;
      outcome = { kind: 'later', offset: error instanceof Interrupted ? error.offset : offset };
    }
    offset = outcome.offset;
    if (failures > 0) {
      host.trouble('network');
      await pause(Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)), signal);
    } else {
      host.trouble(null);
    }
    if (outcome.kind === 'end' && !current.open) return current;
    if (outcome.kind === 'end') await pause(GROWTH_POLL_MS, signal);
    const stillThere = await asked(current, outcome, host, signal);
    if (stillThere === undefined) continue;
    const lost = stillThere === null || outcome.kind === 'gone';
    missing = lost ? missing + 1 : 0;
    if (stillThere === null && !isAtEdge(current)) return null;
    if (missing > EDGE_POLLS) return null;
    if (lost) await pause(EDGE_POLL_MS, signal);
    current = stillThere ?? current;
  }
}

interface Outcome {
  kind: 'end' | 'stale' | 'gone' | 'later';
  offset: number;
}

/** Asks the recorder again where that helps; undefined when there is no reason to. */
async function asked(part: Part, outcome: Outcome, host: FeedHost, signal: AbortSignal): Promise<Part | null | undefined> {
  if (outcome.kind === 'later') return undefined;
  let now: Part | null;
  try {
    now = await host.again(part, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
  // A file that is not there although its row is; a fresh signature does not bring it back.
  if (outcome.kind === 'gone' && pathOf(now?.url) === pathOf(part.url)) return null;
  return now;
}

function isAtEdge(part: Part): boolean {
  return part.open || Date.now() - part.end < EDGE_MS;
}

function pathOf(url: string | null | undefined): string | undefined {
  return url?.split('?')[0];
}

/** Reads the head and gives the offset from which `from` can be shown. */
async function enter(part: Part, from: number, host: FeedHost, signal: AbortSignal): Promise<number> {
  if (part.url === null) return 0;
  try {
    const response = await fetch(part.url, { headers: { Range: `bytes=0-${HEAD_BYTES - 1}` }, signal });
    if (response.status !== 206) {
      await response.body?.cancel();
      return 0;
    }
    const { init, index } = readHead(new Uint8Array(await response.arrayBuffer()));
    const offset = index && offsetAt(index, (from - part.start) / 1000);
    if (!init || !offset) return 0;
    await host.take({ kind: 'init', bytes: init, end: init.byteLength }, part, signal);
    return offset;
  } catch (error) {
    if (signal.aborted || !isNetwork(error)) throw error;
    return 0;
  }
}

/** One request, to its end. */
async function read(part: Part, url: string, offset: number, host: FeedHost, signal: AbortSignal): Promise<Outcome> {
  // What is known to hold nothing new need not be asked for.
  if (offset > 0 && offset >= part.bytes) return { kind: 'end', offset };
  const response = await fetch(url, { headers: { Range: `bytes=${offset}-` }, signal, cache: 'no-store' });
  const answer = answerOf(response.status, offset);
  if ((answer !== 'bytes' && answer !== 'whole') || !response.body) {
    await response.body?.cancel();
    return { kind: answer === 'nothing_new' ? 'end' : answer === 'stale' || answer === 'gone' ? answer : 'later', offset };
  }
  // A server that ignores Range sends the whole: leave out what we have.
  const cutter = new FragmentCutter(answer === 'whole' ? 0 : offset);
  const reader = response.body.getReader();
  let reached = offset;
  try {
    for (;;) {
      const { done, value } = await interrupted(reader.read(), () => reached);
      if (done) return { kind: 'end', offset: reached };
      for (const piece of cutter.push(value)) {
        if (piece.end <= offset) continue;
        await host.take(piece, part, signal);
        reached = piece.end;
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

class Interrupted extends TypeError {
  readonly offset: number;
  constructor(offset: number) {
    super('the connection broke');
    this.offset = offset;
  }
}

async function interrupted<T>(work: Promise<T>, reached: () => number): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isNetwork(error) ? new Interrupted(reached()) : error;
  }
}

/** fetch and its streams say TypeError for everything that is the network's fault. */
function isNetwork(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'NetworkError');
}
