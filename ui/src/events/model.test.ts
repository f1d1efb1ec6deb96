import { describe, expect, it } from 'vitest';
import type { Event } from '../api/types';
import { byDay } from './model';

const event = (id: string, at: string): Event => ({ id, at, kind: 'connected' });

describe('events', () => {
  it("are grouped by the viewer's day", () => {
    const events = [event('c', '2026-11-21T23:30:00Z'), event('b', '2026-11-21T22:30:00Z'), event('a', '2026-11-20T12:00:00Z')];
    expect(byDay(events, 'Europe/Zagreb').map(({ day, events }) => [day, events.length])).toEqual([
      ['2026-11-22', 1],
      ['2026-11-21', 1],
      ['2026-11-20', 1],
    ]);
    expect(byDay(events, 'UTC').map(({ day, events }) => [day, events.length])).toEqual([
      ['2026-11-21', 2],
      ['2026-11-20', 1],
    ]);
  });
});
