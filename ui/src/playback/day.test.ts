import { describe, expect, it } from 'vitest';
import { clock, dayOf, daySpan, offsetAt, shifted, wallAt } from './day';

const HOUR = 3_600_000;
const hours = (day: string, zone: string): number => {
  const { start, end } = daySpan(day, zone);
  return (end - start) / HOUR;
};

describe('days', () => {
  it('have 24 hours, and 23 or 25 when clocks change', () => {
    expect(hours('2026-11-21', 'Europe/Zagreb')).toBe(24);
    expect(hours('2026-03-29', 'Europe/Zagreb')).toBe(23);
    expect(hours('2026-10-25', 'Europe/Zagreb')).toBe(25);
    expect(hours('2026-03-08', 'America/New_York')).toBe(23);
    expect(hours('2026-11-01', 'America/New_York')).toBe(25);
    expect(hours('2026-04-05', 'Australia/Lord_Howe')).toBe(24.5);
    expect(hours('2026-10-25', 'UTC')).toBe(24);
  });

  it('begin where the clock shows midnight', () => {
    expect(daySpan('2026-10-25', 'Europe/Zagreb').start).toBe(Date.UTC(2026, 9, 24, 22));
    expect(daySpan('2026-10-26', 'Europe/Zagreb').start).toBe(Date.UTC(2026, 9, 25, 23));
    expect(daySpan('2026-01-01', 'Asia/Kathmandu').start).toBe(Date.UTC(2025, 11, 31, 18, 15));
  });

  it('begin after midnight where midnight is skipped', () => {
    // Beirut moves from 00:00 to 01:00.
    const { start, end } = daySpan('2026-03-29', 'Asia/Beirut');
    expect(wallAt(start, 'Asia/Beirut')).toMatchObject({ day: 29, hour: 1, minute: 0 });
    expect((end - start) / HOUR).toBe(23);
    expect(daySpan('2026-03-28', 'Asia/Beirut').end).toBe(start);
  });

  it('follow one another without holes', () => {
    for (const zone of ['Europe/Zagreb', 'America/St_Johns', 'Pacific/Apia', 'Africa/Cairo', 'America/Santiago']) {
      let day = '2026-01-01';
      for (let i = 0; i < 370; i++, day = shifted(day, 1)) {
        const { start, end } = daySpan(day, zone);
        expect(dayOf(start, zone)).toBe(day);
        expect(dayOf(start - 1, zone)).toBe(shifted(day, -1));
        expect(dayOf(end, zone)).toBe(shifted(day, 1));
      }
    }
  });
});

it('counts days over months and years', () => {
  expect(shifted('2026-12-31', 1)).toBe('2027-01-01');
  expect(shifted('2028-03-01', -1)).toBe('2028-02-29');
});

it('reads the clock of a zone', () => {
  const at = Date.UTC(2026, 9, 25, 0, 30, 5, 900);
  expect(clock(at, 'Europe/Zagreb')).toBe('02:30:05');
  expect(clock(at + HOUR, 'Europe/Zagreb')).toBe('02:30:05');
  expect(clock(at, 'Europe/Zagreb', false)).toBe('02:30');
  expect(offsetAt(at, 'Europe/Zagreb')).toBe(2 * HOUR);
});
