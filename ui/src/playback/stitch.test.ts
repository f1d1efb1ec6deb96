import { describe, expect, it } from 'vitest';
import type { Segment } from '../api/types';
import {
  aheadTarget, afterRefusal, answerOf, arranged, families, isDoubled, isHeld, isH265, jumpTo, merged, nextStart, partAfter, partAt,
  previousStart, secondsAhead, toParts, trimTo, type Part,
} from './stitch';

function part(start: number, end: number, more: Partial<Part> = {}): Part {
  return { start, end, run: 1, from: start, until: end, bytes: 1_000_000, open: false, codecs: 'avc1.640028,mp4a.40.2', url: `/${start}`, ...more };
}

function row(start: number, end: number, state: Segment['state'], url: string | null): Segment {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    id: 'x', camera_id: 'aaaaaaaaaaaa', name: `${start}.mp4`, start: iso(start), end: iso(end), bytes: 5,
    state, local: state === 'local', codecs: 'avc1.640028', continues: false, ...(url ? { url } : {}),
  };
}

describe('toParts', () => {
  it('tells open and missing ones', () => {
    const parts = arranged(toParts([row(60_000, 75_000, 'open', '/c'), row(0, 30_000, 'local', '/a'), row(30_000, 60_000, 'missing', null)], (p) => `http://x${p}`));
    expect(parts.map((p) => [p.start, p.open, p.url])).toEqual([[0, false, 'http://x/a'], [30_000, false, null], [60_000, true, 'http://x/c']]);
  });
  it('cuts footage of unknown runs, not borders that differ by rounding', () => {
    const parts = arranged(toParts([row(0, 30_001, 'local', '/a'), row(30_000, 60_000, 'local', '/b'), row(45_000, 70_000, 'local', '/c')], (p) => p));
    expect(parts.map((p) => p.until)).toEqual([30_001, 45_000, 70_000]);
  });
});

describe('two recordings of the same time', () => {
  // A clock set back by 40 s while the second half of run 1 was over: run 2 begins at 50 s.
  const run = (n: number, from: number, to: number, step: number): Part[] =>
    Array.from({ length: (to - from) / step }, (_, i) => part(from + i * step, from + (i + 1) * step, { run: n, url: `/${n}-${i}` }));
  const first = run(1, 0, 90_000, 30_000);
  const second = run(2, 50_000, 74_000, 12_000);
  const both = [...first, ...second];
  const played = (parts: readonly Part[]): unknown[] => parts.map((p) => [p.run, p.from, p.until]);

  it('plays the later run as a whole, and the other before and after it', () => {
    expect(played(arranged(both))).toEqual([[1, 0, 30_000], [1, 30_000, 50_000], [2, 50_000, 62_000], [2, 62_000, 74_000], [1, 74_000, 90_000]]);
  });
  it('plays the earlier run as a whole when asked to', () => {
    expect(played(arranged(both, 'older'))).toEqual([[1, 0, 30_000], [1, 30_000, 60_000], [1, 60_000, 90_000]]);
  });
  it('goes from part to part without coming back', () => {
    for (const choice of ['newer', 'older'] as const) {
      const parts = arranged(both, choice);
      let at = partAt(parts, 0);
      const seen: number[] = [];
      while (at && seen.length < 10) {
        seen.push(at.from);
        at = partAfter(parts, at);
      }
      expect(seen).toEqual(parts.map((p) => p.from));
    }
  });
  it('does not run into the other while it is still being written', () => {
    const open = part(62_000, 70_000, { run: Number.POSITIVE_INFINITY, open: true });
    expect(played(arranged([...first, ...run(2, 50_000, 62_000, 12_000), open])).at(-1)).toEqual([Number.POSITIVE_INFINITY, 62_000, 70_000]);
  });
  it('is told where it is so, borders excepted', () => {
    expect([isDoubled(both, 40_000), isDoubled(both, 55_000), isDoubled(both, 80_000), isDoubled(first, 30_000)]).toEqual([false, true, false, false]);
  });
  it('does not turn the borders of a run into cuts', () => {
    expect(played(arranged([part(0, 30_001), part(30_000, 60_000, { run: Number.POSITIVE_INFINITY, open: true })]))[0]).toEqual([1, 0, 30_001]);
  });
});

it('leaves out what a decoder refuses twice, and comes to the end of the damage', () => {
  const parts = [part(0, 30_000), part(30_000, 60_000), part(60_000, 90_000)];
  const once = afterRefusal(null, 10_000, parts);
  expect(once.to).toBe(10_000);
  const twice = afterRefusal(once.refused, 10_200, parts);
  expect(twice.to).toBe(14_200);
  const further = afterRefusal(twice.refused, 14_200, parts);
  expect(further.to).toBe(18_200);
  expect(afterRefusal({ at: 25_000, times: 1 }, 25_000, parts).to).toBe(30_000);
  expect(afterRefusal(once.refused, 20_000, parts).to).toBe(20_000);
  expect(afterRefusal({ at: 88_000, times: 1 }, 88_000, parts).to).toBe(92_000);
});

describe('merged', () => {
  it('replaces what the newer list covers and keeps the rest', () => {
    const old = [part(0, 30), part(30, 60), part(60, 70, { open: true })];
    const fresh = [part(60, 90), part(90, 95, { open: true })];
    expect(merged(old, fresh, 60, 120).map((p) => [p.start, p.end, p.open])).toEqual([
      [0, 30, false], [30, 60, false], [60, 90, false], [90, 95, true],
    ]);
    expect(merged(old, [], 25, 65).map((p) => p.start)).toEqual([]);
  });
});

describe('choosing a part', () => {
  const parts = [part(0, 30_000), part(30_000, 60_000, { url: null }), part(100_000, 130_000)];
  it('takes the one that holds the moment, else the next that can be played', () => {
    expect(partAt(parts, 10_000)?.start).toBe(0);
    expect(partAt(parts, 40_000)?.start).toBe(100_000);
    expect(partAt(parts, 130_000)).toBeNull();
    const [first] = parts;
    expect(first && partAfter(parts, first)?.start).toBe(100_000);
  });
  it('goes back to the start, then to the segment before', () => {
    expect(previousStart(parts, 110_000)).toBe(100_000);
    expect(previousStart(parts, 101_000)).toBe(30_000);
    expect(previousStart(parts, 1_000)).toBeNull();
    expect(nextStart(parts, 10)).toBe(30_000);
    expect(nextStart(parts, 100_000)).toBeNull();
  });
});

describe('codecs', () => {
  it('share a buffer when the families and the tracks are the same', () => {
    expect(families('avc1.640028, mp4a.40.2')).toBe(families('avc3.42e01e,mp4a.40.5'));
    expect(families('avc1.640028')).not.toBe(families('avc1.640028,mp4a.40.2'));
    expect(families('avc1.640028')).not.toBe(families('hvc1.1.6.L93.B0'));
    expect([isH265('hev1.1.6.L93.B0,mp4a.40.2'), isH265('avc1.640028')]).toEqual([true, false]);
  });
});

describe('buffer', () => {
  const ranges = [{ start: 0, end: 30 }, { start: 100, end: 130 }];
  it('counts footage ahead without holes', () => {
    expect(secondsAhead(ranges, 10)).toBe(50);
    expect(secondsAhead(ranges, 50)).toBe(30);
    expect(secondsAhead([], 0)).toBe(0);
  });
  it('holds more when playing fast and less when seconds are large', () => {
    const small = part(0, 30_000);
    const large = part(0, 30_000, { bytes: 30 * 4_000_000 });
    expect(aheadTarget(5, small)).toBeGreaterThan(aheadTarget(1, small));
    expect(aheadTarget(1, large)).toBeLessThan(aheadTarget(1, small));
    expect(aheadTarget(1, part(0, 30_000, { bytes: 1e12 }))).toBe(8);
  });
  it('trims in steps', () => {
    expect(trimTo(ranges, 25)).toBeNull();
    expect(trimTo(ranges, 110)).toBe(90);
  });
  it('jumps over a gap only at its edge', () => {
    expect(jumpTo(ranges, 29, false)).toBeNull();
    expect(jumpTo(ranges, 29.97, false)).toBe(100);
    expect(jumpTo(ranges, 60, false)).toBe(100);
    expect(jumpTo(ranges, 129.99, true)).toBeNull();
    expect(jumpTo([], 5, true)).toBeNull();
  });
  it('leaves a range early when playing has stopped there by itself', () => {
    expect(jumpTo(ranges, 29.8, false)).toBeNull();
    expect(jumpTo(ranges, 29.8, true)).toBe(100);
    expect(jumpTo(ranges, 20, true)).toBeNull();
  });
  it('knows what can be shown at once', () => {
    expect([isHeld(ranges, 10), isHeld(ranges, 60), isHeld(ranges, 129.99)]).toEqual([true, false, false]);
  });
});

it('reads answers', () => {
  expect(answerOf(206, 10)).toBe('bytes');
  expect(answerOf(200, 0)).toBe('bytes');
  expect(answerOf(200, 10)).toBe('whole');
  expect(answerOf(416, 10)).toBe('nothing_new');
  expect(answerOf(403, 0)).toBe('stale');
  expect(answerOf(404, 0)).toBe('gone');
  expect(answerOf(503, 0)).toBe('later');
});
