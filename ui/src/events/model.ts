// The list of events: merged as they come, grouped by day.

import type { Event, EventKind } from '../api/types';
import type { Tone } from '../kit';
import { dayOf, ms } from '../lib/time';

function newestFirst(a: Event, b: Event): number {
  return (ms(b.at) ?? 0) - (ms(a.at) ?? 0) || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

/** Both lists as one, newest first, each event once. Of two with one id, the one of `more` stays. */
export function merge(events: readonly Event[], more: readonly Event[]): readonly Event[] {
  const byId = new Map(events.map((event) => [event.id, event]));
  for (const event of more) byId.set(event.id, event);
  return [...byId.values()].sort(newestFirst);
}

export interface Day {
  /** `YYYY-MM-DD` in the viewer's zone. */
  day: string;
  events: Event[];
}

/** Events by day, in the order they come. */
export function byDay(events: readonly Event[], zone?: string): Day[] {
  const days: Day[] = [];
  for (const event of events) {
    const at = ms(event.at);
    if (at === undefined) continue;
    const day = dayOf(at, zone);
    const last = days.at(-1);
    if (last?.day === day) last.events.push(event);
    else days.push({ day, events: [event] });
  }
  return days;
}

/** What colour a kind has. */
export const TONES: Readonly<Record<EventKind, Tone>> = {
  connected: 'ok',
  disconnected: 'warn',
  storage_failed: 'bad',
  recovered: 'accent',
  clock_step: 'accent',
  marked: 'accent',
  deleted_early: 'warn',
  disk_level: 'warn',
  upload_stopped: 'bad',
  upload_resumed: 'ok',
  upload_lost: 'bad',
  started: 'neutral',
  stopped: 'neutral',
};
