import { describe, expect, it } from 'vitest';
import { liveEdge } from './edge';

const at = (end: number, start = 0) => ({ start, end });

describe('liveEdge', () => {
  it('waits for the first frame', () => {
    expect(liveEdge(0, 1, null, null)).toEqual({ seekTo: null, rate: 1, trimTo: null });
  });
  it('enters a run that began long ago', () => {
    expect(liveEdge(0, 1, at(5002, 5000), at(5002, 5000)).seekTo).toBeCloseTo(5001.9);
  });
  it('seeks when far behind, hurries when a little, and is calm otherwise', () => {
    expect(liveEdge(8, 1, at(10), at(10)).seekTo).toBeCloseTo(9.9);
    expect(liveEdge(9.5, 1, at(10), at(10))).toEqual({ seekTo: null, rate: 1.1, trimTo: null });
    expect(liveEdge(9.7, 1.1, at(10), at(10)).rate).toBe(1.1);
    expect(liveEdge(9.7, 1, at(10), at(10)).rate).toBe(1);
    expect(liveEdge(9.85, 1.1, at(10), at(10)).rate).toBe(1);
  });
  it('jumps over a hole into the last range', () => {
    expect(liveEdge(10, 1, at(10), at(10.5, 10.4)).seekTo).toBe(10.4);
  });
  it('trims what has long been seen', () => {
    expect(liveEdge(60, 1, at(60.1, 39), at(60.1, 39)).trimTo).toBe(50);
    expect(liveEdge(55, 1, at(55.1, 39), at(55.1, 39)).trimTo).toBeNull();
  });
});
