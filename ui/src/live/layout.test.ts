import { describe, expect, it } from 'vitest';
import { autoLayout, inOrder, missing, moved, neighbour, pageCount, wall } from './layout';

describe('autoLayout', () => {
  it('shows all cameras with the fewest places', () => {
    expect([0, 1, 2, 4, 5, 9, 10, 16, 40].map(autoLayout)).toEqual([1, 1, 4, 4, 9, 9, 16, 16, 16]);
    expect([0, 16, 17, 33].map((n) => pageCount(n, 16))).toEqual([1, 1, 2, 3]);
  });
});

describe('wall', () => {
  it('keeps 16:9 and never leaves the room', () => {
    for (const [width, height] of [[1600, 900], [900, 1600], [3000, 400], [333, 777]] as const) {
      for (const layout of [1, 4, 9, 16] as const) {
        for (let shown = 1; shown <= layout; shown++) {
          const w = wall(width, height, layout, shown, 8);
          expect(w.columns * w.tileWidth + 8 * (w.columns - 1)).toBeLessThanOrEqual(width);
          expect(w.rows * w.tileHeight + 8 * (w.rows - 1)).toBeLessThanOrEqual(height);
          expect(w.columns * w.rows).toBeGreaterThanOrEqual(shown);
          expect(w.tileWidth / w.tileHeight).toBeCloseTo(16 / 9, 0);
        }
      }
    }
  });
  it('puts two cameras side by side in a wide room, one over the other in a high one', () => {
    expect(wall(1600, 900, 4, 2, 0)).toMatchObject({ columns: 2, rows: 1 });
    expect(wall(900, 1600, 4, 2, 0)).toMatchObject({ columns: 1, rows: 2 });
    expect(wall(1600, 900, 4, 3, 0)).toMatchObject({ columns: 2, rows: 2, tileWidth: 800, tileHeight: 450 });
  });
  it('knows how much is missing in the last row', () => {
    const w = wall(1600, 900, 9, 7, 0);
    expect([0, 1, 2].map((row) => missing(row, w, 7))).toEqual([0, 0, 2]);
    expect(missing(0, wall(1600, 900, 4, 2, 0), 2)).toBe(0);
  });
  it('survives a room of nothing', () => {
    expect(wall(0, 0, 9, 3, 8).tileWidth).toBe(0);
  });
});

describe('neighbour', () => {
  it('stays inside the wall', () => {
    expect(neighbour(0, 'ArrowLeft', 2, 3)).toBe(0);
    expect(neighbour(0, 'ArrowRight', 2, 3)).toBe(1);
    expect(neighbour(1, 'ArrowRight', 2, 3)).toBe(1);
    expect(neighbour(0, 'ArrowDown', 2, 3)).toBe(2);
    expect(neighbour(1, 'ArrowDown', 2, 3)).toBe(1);
    expect(neighbour(2, 'ArrowUp', 2, 3)).toBe(0);
  });
});

describe('order', () => {
  it('puts saved ones first and keeps new ones in their own order', () => {
    expect(inOrder(['a', 'b', 'c', 'd'], (x) => x, ['c', 'gone', 'a'])).toEqual(['c', 'a', 'b', 'd']);
  });
  it('moves one entry', () => {
    expect(moved(['a', 'b', 'c'], 0, 2)).toEqual(['b', 'c', 'a']);
    expect(moved(['a', 'b', 'c'], 2, 0)).toEqual(['c', 'a', 'b']);
    expect(moved(['a'], 5, 0)).toEqual(['a']);
  });
});
