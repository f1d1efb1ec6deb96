// Rows of a paged list, newest first, and how they follow the stream of changes. Pure.

/** How a row is known and where it stands. */
export interface Order<T> {
  id: (row: T) => string;
  /** Milliseconds since 1970. */
  at: (row: T) => number;
}

/** Both as one, newest first, each row once. Of two with one id, the one of `more` stays. */
export function mergedRows<T>(rows: readonly T[], more: readonly T[], order: Order<T>): readonly T[] {
  const byId = new Map(rows.map((row) => [order.id(row), row]));
  for (const row of more) byId.set(order.id(row), row);
  return [...byId.values()].sort((a, b) => order.at(b) - order.at(a) || (order.id(a) < order.id(b) ? 1 : -1));
}

/** Rows without one; the same list when it was not there. */
export function withoutRow<T>(rows: readonly T[], id: string, order: Order<T>): readonly T[] {
  return rows.some((row) => order.id(row) === id) ? rows.filter((row) => order.id(row) !== id) : rows;
}

/** What a change means for a list. */
export type RowChange<T> = { row: T } | { gone: string } | null;

/** Rows after a change. A row that does not belong to the list any more leaves it. */
export function changedRows<T>(rows: readonly T[], change: RowChange<T>, order: Order<T>, belongs: (row: T) => boolean): readonly T[] {
  if (change === null) return rows;
  if ('gone' in change) return withoutRow(rows, change.gone, order);
  return belongs(change.row) ? mergedRows(rows, [change.row], order) : withoutRow(rows, order.id(change.row), order);
}
