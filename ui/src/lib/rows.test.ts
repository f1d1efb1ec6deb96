import { describe, expect, it } from 'vitest';
import { changedRows, mergedRows, withoutRow, type Order } from './rows';

interface Row {
  id: string;
  at: number;
  name?: string;
}
const order: Order<Row> = { id: (r) => r.id, at: (r) => r.at };
const ids = (rows: readonly Row[]): string[] => rows.map((r) => r.id);
const rows: Row[] = [{ id: 'b', at: 2 }, { id: 'a', at: 1 }];

describe('rows of a list', () => {
  it('are newest first and each there once, as it was read last', () => {
    const merged = mergedRows(rows, [{ id: 'c', at: 3 }, { id: 'a', at: 1, name: 'new' }], order);
    expect(ids(merged)).toEqual(['c', 'b', 'a']);
    expect(merged.at(-1)?.name).toBe('new');
  });
  it('of one moment keep one order', () => {
    const [x, y] = [{ id: 'x', at: 1 }, { id: 'y', at: 1 }];
    expect(ids(mergedRows([x], [y], order))).toEqual(ids(mergedRows([y], [x], order)));
  });
  it('stay the same list when nothing left', () => {
    expect(withoutRow(rows, 'z', order)).toBe(rows);
    expect(changedRows(rows, null, order, () => true)).toBe(rows);
  });
  it('come, change and go with changes', () => {
    const all = (): boolean => true;
    expect(ids(changedRows(rows, { row: { id: 'c', at: 9 } }, order, all))).toEqual(['c', 'b', 'a']);
    expect(ids(changedRows(rows, { gone: 'b' }, order, all))).toEqual(['a']);
  });
  it('that do not belong are not taken up, and leave when they were there', () => {
    const named = (row: Row): boolean => row.name === 'mine';
    expect(ids(changedRows(rows, { row: { id: 'c', at: 9 } }, order, named))).toEqual(['b', 'a']);
    expect(ids(changedRows(rows, { row: { id: 'b', at: 2 } }, order, named))).toEqual(['a']);
  });
});
