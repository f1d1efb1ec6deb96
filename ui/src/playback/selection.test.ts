import { describe, expect, it } from 'vitest';
import { SHORTEST_MS, beginningAt, between, edgeStep, endingAt, overlapping, withEdge } from './selection';

const range = { start: 10_000, end: 50_000 };

describe('a selection', () => {
  it('is the same whichever way it is drawn, and never empty', () => {
    expect(between(50_000, 10_000)).toEqual(range);
    expect(between(10_000, 50_000)).toEqual(range);
    expect(between(10_000, 10_000)).toEqual({ start: 10_000, end: 10_000 + SHORTEST_MS });
  });
  it('has edges that stop at one another', () => {
    expect(withEdge(range, 'start', 20_000)).toEqual({ start: 20_000, end: 50_000 });
    expect(withEdge(range, 'start', 90_000)).toEqual({ start: 49_000, end: 50_000 });
    expect(withEdge(range, 'end', 0)).toEqual({ start: 10_000, end: 11_000 });
  });
  it('begins where the play position is', () => {
    expect(beginningAt(null, 10_000)).toEqual({ start: 10_000, end: 40_000 });
    expect(beginningAt(range, 20_000)).toEqual({ start: 20_000, end: 50_000 });
    expect(beginningAt(range, 60_000)).toEqual({ start: 60_000, end: 100_000 });
  });
  it('ends where the play position is', () => {
    expect(endingAt(null, 60_000)).toEqual({ start: 30_000, end: 60_000 });
    expect(endingAt(range, 20_000)).toEqual({ start: 10_000, end: 20_000 });
    expect(endingAt(range, 5_000)).toEqual({ start: -35_000, end: 5_000 });
  });
  it('is moved by arrow keys, further with Shift', () => {
    expect(edgeStep('ArrowLeft', false)).toBe(-1_000);
    expect(edgeStep('ArrowRight', true)).toBe(10_000);
    expect(edgeStep('Enter', false)).toBeNull();
  });
});

describe('what a selection touches', () => {
  it('shares time with it; neighbours do not', () => {
    const ranges = [{ start: 0, end: 10_000 }, { start: 0, end: 10_001 }, { start: 50_000, end: 60_000 }, { start: 20_000, end: 30_000 }];
    expect(overlapping(ranges, range)).toEqual([ranges[1], ranges[3]]);
  });
});
