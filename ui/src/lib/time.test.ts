import { describe, expect, it } from 'vitest';
import { addDays, clockTime, dayOf, dayRange, duration, fromLocalField, ms, timeSpan, toLocalField } from './time';

const HOUR = 3_600_000;
const zone = 'Europe/Zagreb';

describe('days', () => {
  it.each([
    ['2026-11-21', 24],
    ['2026-03-29', 23],
    ['2026-10-25', 25],
  ])('%s has %i hours in Zagreb', (day, hours) => {
    const { start, end } = dayRange(day, zone);
    expect((end - start) / HOUR).toBe(hours);
    expect(dayOf(start, zone)).toBe(day);
    expect(dayOf(end - 1, zone)).toBe(day);
    expect(dayOf(end, zone)).toBe(addDays(day, 1));
  });
  it('begins at one o’clock where midnight is skipped', () => {
    // Clocks in Santiago went from 24:00 to 01:00 that night.
    const { start, end } = dayRange('2026-09-06', 'America/Santiago');
    expect(clockTime(start, 'America/Santiago')).toBe('01:00:00');
    expect((end - start) / HOUR).toBe(23);
  });
  it('depends on the zone', () => {
    const late = Date.parse('2026-11-21T23:30:00Z');
    expect(dayOf(late, 'UTC')).toBe('2026-11-21');
    expect(dayOf(late, zone)).toBe('2026-11-22');
    expect(dayOf(late, 'Pacific/Kiritimati')).toBe('2026-11-22');
  });
  it('go over ends of months and years', () => {
    expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
    expect(addDays('2028-03-01', -1)).toBe('2028-02-29');
  });
});

describe('times', () => {
  it('show the repeated hour as the wall did', () => {
    expect(clockTime(Date.parse('2026-10-25T00:30:00Z'), zone)).toBe('02:30:00');
    expect(clockTime(Date.parse('2026-10-25T01:30:00Z'), zone)).toBe('02:30:00');
  });
  it('show midnight as 00', () => {
    expect(clockTime(Date.parse('2026-11-21T00:00:00Z'), 'UTC')).toBe('00:00:00');
  });
  it('are undefined when they are no times', () => {
    expect([ms(undefined), ms(null), ms(''), ms('yesterday')]).toEqual([undefined, undefined, undefined, undefined]);
    expect(ms('2026-11-21T08:30:00.500Z')).toBe(Date.UTC(2026, 10, 21, 8, 30, 0, 500));
  });
});

describe('duration', () => {
  it.each([
    [0, '0 s'],
    [-5, '0 s'],
    [999, '1 s'],
    [59_400, '59 s'],
    [61_000, '1 min 1 s'],
    [2 * HOUR, '2 h'],
    [2 * HOUR + 65_000, '2 h 1 min'],
    [50 * HOUR, '2 d 2 h'],
  ])('%i', (milliseconds, words) => {
    expect(duration(milliseconds)).toBe(words);
  });
});

describe('spans', () => {
  const start = Date.parse('2026-11-21T13:03:27Z');
  it('name the day once', () => {
    expect(timeSpan(start, start + 93_000, zone, 'en-GB')).toBe('Sat, 21 Nov 2026, 14:03:27 – 14:05:00');
  });
  it('name both days when they pass midnight', () => {
    expect(timeSpan(start, start + 12 * HOUR, zone, 'en-GB')).toBe('Sat, 21 Nov 2026, 14:03:27 – Sun, 22 Nov 2026, 02:03:27');
  });
});

describe('fields of date and time', () => {
  it('hold the clock of the zone and lead back', () => {
    const time = Date.parse('2026-11-21T13:03:27Z');
    expect(toLocalField(time + 400, zone)).toBe('2026-11-21T14:03:27');
    expect(fromLocalField('2026-11-21T14:03:27', zone)).toBe(time);
    expect(fromLocalField('2026-11-21 14:03', zone)).toBe(time - 27_000);
  });
  it('that a clock skips name the moment after', () => {
    expect(fromLocalField('2026-03-29T02:30:00', zone)).toBe(Date.parse('2026-03-29T01:30:00Z'));
  });
  it.each(['', 'yesterday', '2026-13-01T00:00'])('%j is no moment', (text) => {
    expect(fromLocalField(text, zone)).toBeUndefined();
  });
});
