import { describe, expect, it } from 'vitest';
import { clipFaults, exportFaults, faulty, goingOn, rangeFaults, rangeForm, rangeOf, touchesNow } from './range';
import { texts } from './texts';

const now = Date.parse('2026-11-21T13:00:00.000Z');
const HOUR = 3_600_000;

describe('the form of a range', () => {
  const range = { start: now - 90_400, end: now - 30_300 };
  it('keeps the moments it was filled from to the millisecond', () => {
    expect(rangeOf(rangeForm(range), range)).toEqual(range);
  });
  it('takes a changed field to the second and keeps the other', () => {
    const form = { ...rangeForm(range), from: rangeForm({ start: now - 60_000, end: now }).from };
    expect(rangeOf(form, range)).toEqual({ start: now - 60_000, end: range.end });
  });
  it('shows an end that loses none of the footage', () => {
    expect(rangeOf(rangeForm(range)).end).toBe(now - 30_000);
  });
  it('knows which field holds no moment', () => {
    expect(rangeFaults(rangeOf({ from: '', to: '2026-11-21T10:00:00' }))).toEqual({ from: texts.badTime });
    expect(rangeFaults(rangeOf({ from: '2026-11-21T10:00:00', to: 'soon' }))).toEqual({ to: texts.badTime });
  });
});

describe('the range of a clip', () => {
  it('goes on when it reaches now', () => {
    expect(touchesNow({ start: now - HOUR, end: now - 5_000 }, now)).toBe(true);
    expect(touchesNow({ start: now - HOUR, end: now - 60_000 }, now)).toBe(false);
    expect(goingOn({ start: 1, end: now }, 5, now)).toEqual({ start: 1, end: now + 300_000 });
    expect(goingOn({ start: 1, end: 2 }, 0, now)).toEqual({ start: 1, end: 2 });
  });
  it.each([
    [-HOUR, 0, {}],
    [-HOUR, HOUR, {}],
    [0, 0, { to: texts.backwards }],
    [60_000, 120_000, { from: texts.clip.notYet }],
    [-25 * HOUR, 0, { to: texts.clip.tooLong }],
    [-1, 24 * HOUR, { to: texts.clip.tooLong }],
  ])('from %i to %i', (start, end, faults) => {
    expect(clipFaults({ start: now + start, end: now + end }, now)).toEqual(faults);
  });
});

describe('an export', () => {
  const range = { start: now - HOUR, end: now };
  it('is fine with one camera and with 64', () => {
    expect(faulty(exportFaults(range, 1, now))).toBe(false);
    expect(faulty(exportFaults(range, 64, now))).toBe(false);
  });
  it('says all that is wrong at once', () => {
    expect(exportFaults({ start: now, end: now - 1 }, 0, now)).toEqual({ cameras: texts.export.noCamera, to: texts.backwards });
    expect(exportFaults(range, 65, now).cameras).toBe(texts.export.tooMany);
  });
  it('is of the past, and of a week at most', () => {
    expect(exportFaults({ start: now - HOUR, end: now + 1 }, 1, now).to).toBe(texts.export.future);
    expect(exportFaults({ start: now - 7 * 24 * HOUR - 1, end: now }, 1, now).to).toBe(texts.export.tooLong);
  });
});
