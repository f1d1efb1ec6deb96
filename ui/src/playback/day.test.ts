import { describe, expect, it } from 'vitest';
import { dayOf, dayRange } from '../lib/time';
import { offsetAt } from './day';

const HOUR = 3_600_000;
const hours = (day: string, zone: string): number => (dayRange(day, zone).end - dayRange(day, zone).start) / HOUR;

it('knows the wall clock of a zone', () => {
  const at = Date.UTC(2026, 9, 25, 0, 30, 5, 900);
  expect(offsetAt(at, 'Europe/Zagreb')).toBe(2 * HOUR);
  expect(offsetAt(at + HOUR, 'Europe/Zagreb')).toBe(HOUR);
  expect(offsetAt(at, 'Asia/Kathmandu')).toBe(5.75 * HOUR);
  expect(offsetAt(at, 'UTC')).toBe(0);
});

describe('days of the timeline', () => {
  it('have 24 hours, and 23 or 25 when clocks change', () => {
    expect(hours('2026-11-21', 'Europe/Zagreb')).toBe(24);
    expect(hours('2026-03-29', 'Europe/Zagreb')).toBe(23);
    expect(hours('2026-10-25', 'Europe/Zagreb')).toBe(25);
    expect(hours('2026-11-01', 'America/New_York')).toBe(25);
    expect(hours('2026-04-05', 'Australia/Lord_Howe')).toBe(24.5);
  });
  it('begin after midnight where midnight is skipped', () => {
    const { start, end } = dayRange('2026-03-29', 'Asia/Beirut');
    expect((end - start) / HOUR).toBe(23);
    expect([dayOf(start - 1, 'Asia/Beirut'), dayOf(start, 'Asia/Beirut')]).toEqual(['2026-03-28', '2026-03-29']);
  });
});
