// The life of one live stream in one tile, as a pure state machine. The player feeds it what
// happens and does what it asks for; nothing here touches the network, timers or the page.

import type { Transport } from './plan';

export type Phase =
  /** Not wanted: out of sight. */
  | 'stopped'
  /** Asking for a token, opening, or waiting for the first picture. */
  | 'connecting'
  | 'playing'
  /** The camera delivers nothing; the socket stays open. */
  | 'standing'
  /** Lost; the next attempt is at `retryAt`. */
  | 'retrying'
  /** The channel is gone; nothing to try. */
  | 'gone';

export type Trouble = 'closed' | 'silent' | 'refused' | 'unreadable' | 'decoder';

export interface LiveState {
  phase: Phase;
  /** Attempts since the last one that lasted. */
  attempt: number;
  /** Milliseconds; when `retrying`. */
  retryAt: number;
  /** When this attempt began. */
  since: number;
  /** Last byte from the server. */
  heardAt: number;
  /** Last picture shown. */
  pictureAt: number | null;
  trouble: Trouble | null;
  /** Transports that broke, and until when they are left alone. */
  broken: ReadonlyMap<Transport, { until: number; times: number }>;
}

export type LiveEvent =
  | { type: 'play'; now: number }
  | { type: 'stop' }
  /** The plan changed: connect anew, without delay and without counting it as a failure. */
  | { type: 'replan'; now: number }
  | { type: 'heard'; now: number }
  /** `at` is when it was taken, if that is earlier and known. */
  | { type: 'picture'; now: number; at?: number }
  | { type: 'standing'; now: number }
  /** A run begins: a picture is due. */
  | { type: 'started'; now: number }
  | { type: 'closed'; code: number; now: number }
  | { type: 'failed'; trouble: Trouble; transport: Transport; now: number }
  | { type: 'tick'; transport: Transport; now: number };

export type Command = 'connect' | 'disconnect';

export interface Step {
  state: LiveState;
  commands: Command[];
}

export const SILENT_MS = 5_000;
export const SILENT_PICTURES_MS = 30_000;
export const LASTED_MS = 10_000;
/** The recorder says three times in this time that a camera still stands; a dead socket says nothing. */
export const STANDING_MS = 60_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
const FIRST_BAN_MS = 30_000;
const LAST_BAN_MS = 10 * 60_000;
const CLOSE_NO_CHANNEL = 4404;
export const CLOSE_CHANNEL_REMOVED = 4410;

export const INITIAL: LiveState = {
  phase: 'stopped',
  attempt: 0,
  retryAt: 0,
  since: 0,
  heardAt: 0,
  pictureAt: null,
  trouble: null,
  broken: new Map(),
};

/** Delay before attempt number `attempt` (1 is the first retry). `random` is 0 to 1. */
export function backoff(attempt: number, random: number): number {
  const base = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, attempt - 1));
  return Math.min(LAST_RETRY_MS, Math.round(base * (0.8 + 0.4 * random)));
}

/** Transports not to use at `now`. */
export function brokenAt(state: LiveState, now: number): Set<Transport> {
  const set = new Set<Transport>();
  for (const [transport, ban] of state.broken) if (ban.until > now) set.add(transport);
  return set;
}

export function step(state: LiveState, event: LiveEvent, random = 0.5): Step {
  switch (event.type) {
    case 'play':
      return state.phase === 'stopped' ? connect(state, event.now, 0) : keep(state);
    case 'stop':
      return state.phase === 'stopped'
        ? keep(state)
        : { state: { ...state, phase: 'stopped', trouble: null, attempt: 0 }, commands: ['disconnect'] };
    default:
      if (state.phase === 'stopped' || state.phase === 'gone') return keep(state);
      return whileWanted(state, event, random);
  }
}

function whileWanted(
  state: LiveState,
  event: Exclude<LiveEvent, { type: 'play' | 'stop' }>,
  random: number,
): Step {
  switch (event.type) {
    case 'replan': {
      const next = connect(state, event.now, state.attempt);
      return state.phase === 'retrying' ? next : { ...next, commands: ['disconnect', 'connect'] };
    }
    case 'heard':
      return keep({ ...state, heardAt: event.now });
    case 'picture': {
      const lasted = event.now - state.since >= LASTED_MS;
      return keep({
        ...state,
        phase: 'playing',
        heardAt: event.now,
        pictureAt: Math.min(event.now, event.at ?? event.now),
        trouble: null,
        attempt: lasted ? 0 : state.attempt,
      });
    }
    case 'standing':
      return keep({ ...state, phase: 'standing', heardAt: event.now });
    case 'started':
      return keep(
        state.phase === 'standing'
          ? { ...state, phase: 'connecting', since: event.now, heardAt: event.now }
          : { ...state, heardAt: event.now },
      );
    case 'closed':
      if (event.code === CLOSE_NO_CHANNEL || event.code === CLOSE_CHANNEL_REMOVED) {
        return { state: { ...state, phase: 'gone' }, commands: ['disconnect'] };
      }
      return state.phase === 'retrying' ? keep(state) : retry(state, 'closed', event.now, random);
    case 'failed': {
      if (state.phase === 'retrying') return keep(state);
      const counts = event.trouble === 'decoder' || event.trouble === 'unreadable';
      const next = counts ? { ...state, broken: ban(state, event.transport, event.now) } : state;
      return retry(next, event.trouble, event.now, random);
    }
    case 'tick':
      return tick(state, event.transport, event.now, random);
  }
}

function tick(state: LiveState, transport: Transport, now: number, random: number): Step {
  if (state.phase === 'retrying') return now >= state.retryAt ? connect(state, now, state.attempt) : keep(state);
  if (state.phase === 'standing') return now - state.heardAt >= STANDING_MS ? retry(state, 'silent', now, random) : keep(state);
  // Pictures come once a second and may all look the same.
  const limit = transport === 'jpeg' ? SILENT_PICTURES_MS : SILENT_MS;
  const quiet = now - Math.max(state.heardAt, state.since);
  if (quiet >= limit) return retry(state, 'silent', now, random);
  const unseen = now - Math.max(state.pictureAt ?? 0, state.since);
  if (unseen >= limit && state.heardAt > state.since) {
    // Bytes arrive and nothing is shown: this transport does not work here.
    return retry({ ...state, broken: ban(state, transport, now) }, 'decoder', now, random);
  }
  return keep(state);
}

function connect(state: LiveState, now: number, attempt: number): Step {
  return { state: { ...state, phase: 'connecting', attempt, since: now, heardAt: 0 }, commands: ['connect'] };
}

function retry(state: LiveState, trouble: Trouble, now: number, random: number): Step {
  const attempt = state.attempt + 1;
  return {
    state: { ...state, phase: 'retrying', attempt, trouble, retryAt: now + backoff(attempt, random) },
    commands: ['disconnect'],
  };
}

function ban(state: LiveState, transport: Transport, now: number): LiveState['broken'] {
  const times = (state.broken.get(transport)?.times ?? 0) + 1;
  const length = Math.min(LAST_BAN_MS, FIRST_BAN_MS * 2 ** (times - 1));
  return new Map(state.broken).set(transport, { until: now + length, times });
}

function keep(state: LiveState): Step {
  return { state, commands: [] };
}
