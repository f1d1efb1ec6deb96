import { describe, expect, it } from 'vitest';
import { dayRange } from '../lib/time';
import {
  MIN_SPAN_MS, bars, fitted, followed, footageAt, msAt, panned, reasonOf, showing, stepped, ticks, under, within, xOf, zoomed,
} from './view';

const HOUR = 3_600_000;
const day = { start: 0, end: 24 * HOUR };

describe('zoom and pan', () => {
  it('keeps the moment under the pointer', () => {
    const at = 9 * HOUR;
    let view = day;
    for (let i = 0; i < 5; i++) {
      const before = xOf(at, view, 1000);
      view = zoomed(view, at, 0.8, day);
      expect(xOf(at, view, 1000)).toBeCloseTo(before);
    }
    expect(msAt(xOf(at, view, 1000), view, 1000)).toBeCloseTo(at);
  });
  it('ends at a minute and at the day', () => {
    let view = day;
    for (let i = 0; i < 100; i++) view = zoomed(view, HOUR, 0.5, day);
    expect(view.end - view.start).toBe(MIN_SPAN_MS);
    for (let i = 0; i < 100; i++) view = zoomed(view, HOUR, 2, day);
    expect(view).toEqual(day);
  });
  it('does not leave the day', () => {
    expect(panned({ start: 0, end: HOUR }, -HOUR, day)).toEqual({ start: 0, end: HOUR });
    expect(panned({ start: 0, end: HOUR }, 99 * HOUR, day)).toEqual({ start: 23 * HOUR, end: 24 * HOUR });
    expect(within({ start: -HOUR, end: 99 * HOUR }, day)).toEqual(day);
  });
  it('follows a moment only when it leaves', () => {
    const view = { start: HOUR, end: 2 * HOUR };
    expect(showing(view, 1.5 * HOUR, day)).toBe(view);
    expect(showing(view, 5 * HOUR, day)).toEqual({ start: 4.75 * HOUR, end: 5.75 * HOUR });
  });
});

describe('ticks', () => {
  it('are at round times and labels do not collide', () => {
    for (const span of [60_000, 600_000, HOUR, 6 * HOUR, 24 * HOUR]) {
      const view = { start: 3 * HOUR + 1234, end: 3 * HOUR + 1234 + span };
      const labelled = ticks(view, 1000, 'UTC').filter((t) => t.label !== null);
      expect(labelled.length).toBeGreaterThan(1);
      for (let i = 1; i < labelled.length; i++) {
        expect(xOf(labelled[i]?.ms ?? 0, view, 1000) - xOf(labelled[i - 1]?.ms ?? 0, view, 1000)).toBeGreaterThan(70);
      }
    }
    expect(ticks(day, 1000, 'UTC').find((t) => t.label !== null)).toEqual({ ms: 0, label: '00:00' });
  });
  it('show the clock of days that are not 24 hours', () => {
    const spring = dayRange('2026-03-29', 'Europe/Zagreb');
    const labels = (span: typeof spring): (string | null)[] => ticks(span, 4000, 'Europe/Zagreb').map((t) => t.label).filter((l) => l?.endsWith(':00'));
    expect(labels(spring)).not.toContain('02:00');
    expect(labels(spring)).toContain('03:00');
    const autumn = dayRange('2026-10-25', 'Europe/Zagreb');
    expect(labels(autumn).filter((l) => l === '02:00')).toHaveLength(2);
  });
});

describe('bars', () => {
  it('clips, merges what cannot be told apart, and shows even a second', () => {
    expect(bars([{ start: -HOUR, end: HOUR }, { start: HOUR + 1000, end: 2 * HOUR }], day, 2400)).toEqual([{ x: 0, width: 200 }]);
    expect(bars([{ start: 12 * HOUR, end: 12 * HOUR + 1000 }], day, 2400)).toEqual([{ x: 1200, width: 2 }]);
    expect(bars([{ start: 25 * HOUR, end: 26 * HOUR }], day, 2400)).toEqual([]);
  });
  it('is bounded by the pixels, not by the stretches', () => {
    const many = Array.from({ length: 50_000 }, (_, i) => ({ start: i * 1700, end: i * 1700 + 1600 }));
    expect(bars(many, day, 1000).length).toBeLessThanOrEqual(1000);
  });
});

describe('under', () => {
  const stretches = [{ start: 0, end: 100 }, { start: 500, end: 505 }];
  const holes = [{ start: 100, end: 500, reason: 'off' }];
  it('tells footage, holes and nothing apart', () => {
    expect(under(50, stretches, holes, 0).kind).toBe('footage');
    expect(under(100, stretches, holes, 0)).toEqual({ kind: 'hole', hole: holes[0] });
    expect(under(900, stretches, holes, 0).kind).toBe('nothing');
    expect(under(495, stretches, holes, 10)).toMatchObject({ kind: 'footage', span: stretches[1] });
  });
  it('starts at the next footage', () => {
    expect([-5, 50, 100, 502, 505].map((ms) => footageAt(ms, stretches))).toEqual([0, 50, 500, 502, null]);
  });
});

describe('stepping', () => {
  const stretches = [{ start: 0, end: 100 }, { start: 1000, end: 1100 }];
  it('leaves holes out', () => {
    expect(stepped(1005, -10, stretches)).toBe(95);
    expect(stepped(95, 10, stretches)).toBe(1005);
    expect(stepped(50, 10, stretches)).toBe(60);
    expect(stepped(500, -10, stretches)).toBe(90);
  });
  it('leads out of the footage that is known', () => {
    expect(stepped(5, -10, stretches)).toBe(-5);
    expect(stepped(1095, 10, stretches)).toBe(1105);
    expect(stepped(5, 10, [])).toBe(15);
  });
});

it('joins stretches that differ by rounding', () => {
  expect(followed([{ start: 0, end: 100 }, { start: 300, end: 900 }, { start: 2000, end: 3000 }])).toEqual([
    { start: 0, end: 900 },
    { start: 2000, end: 3000 },
  ]);
});

it('names the longest known cause of a gap', () => {
  const holes = [{ start: 0, end: 10, reason: 'a' }, { start: 10, end: 50, reason: 'b' }, { start: 50, end: 99, reason: null }];
  expect(reasonOf(0, 99, holes)).toBe('b');
  expect(reasonOf(60, 70, holes)).toBeNull();
});

describe('the first view of a day', () => {
  const MINUTE = 60_000;
  const minutes = { start: 9 * HOUR, end: 9 * HOUR + 10 * MINUTE };
  it('is the day when much was recorded, and when nothing was', () => {
    expect(fitted([{ start: 0, end: 7 * HOUR }], day, null)).toBe(day);
    expect(fitted([], day, null)).toBe(day);
  });
  it('comes closer to the newest footage when there is little', () => {
    expect(fitted([{ start: 0, end: 1000 }, minutes], day, null)).toEqual({ start: minutes.end - 21 * MINUTE, end: minutes.end + 9 * MINUTE });
    expect(fitted([{ start: 6 * HOUR, end: 8 * HOUR }], day, null)).toEqual({ start: 2.4 * HOUR, end: 10.4 * HOUR });
    expect(fitted([{ start: 0, end: MINUTE }], day, null)).toEqual({ start: 0, end: 10 * MINUTE });
  });
  it('shows the moment that was asked for', () => {
    const at = 4 * HOUR;
    const view = fitted([{ start: at - MINUTE, end: at + MINUTE }, minutes], day, at);
    expect(view.start).toBeLessThan(at);
    expect(view.end).toBeGreaterThan(at);
    expect(view.end - view.start).toBe(10 * MINUTE);
    // A moment of another day says nothing about this one.
    expect(fitted([minutes], day, 30 * HOUR)).toEqual(fitted([minutes], day, null));
  });
});
