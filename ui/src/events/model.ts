// The list of events: grouped by day, and what colour each has.

import type { Event, EventKind } from '../api/types';
import type { Tone } from '../kit';
import { dayOf, ms } from '../lib/time';

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
