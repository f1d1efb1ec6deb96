// The wall of tiles: how many, how large, on which page, in which order. Pure.

export const LAYOUTS = [1, 4, 9, 16] as const;
export type Layout = (typeof LAYOUTS)[number];
export type LayoutChoice = Layout | 'auto';

const ASPECT = 16 / 9;

/** The smallest layout that shows all cameras, 16 at most. */
export function autoLayout(cameras: number): Layout {
  return LAYOUTS.find((n) => n >= cameras) ?? 16;
}

export function pageCount(cameras: number, layout: Layout): number {
  return Math.max(1, Math.ceil(cameras / layout));
}

export interface Wall {
  columns: number;
  rows: number;
  tileWidth: number;
  tileHeight: number;
}

/**
 * Tiles of 16:9, as large as fit into the room. Few tiles use fewer rows (two cameras stand side
 * by side, not over an empty row) and whichever arrangement gives the larger tile.
 */
export function wall(width: number, height: number, layout: Layout, shown: number, gap: number): Wall {
  const count = Math.max(1, Math.min(shown, layout));
  let best: Wall = { columns: 1, rows: 1, tileWidth: 0, tileHeight: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const room = Math.min((width - gap * (columns - 1)) / columns, ((height - gap * (rows - 1)) / rows) * ASPECT);
    const tileWidth = Math.max(0, Math.floor(room));
    if (tileWidth >= best.tileWidth) {
      best = { columns, rows, tileWidth, tileHeight: Math.floor(tileWidth / ASPECT) };
    }
  }
  return best;
}

export type Arrow = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown';

export function isArrow(key: string): key is Arrow {
  return key === 'ArrowLeft' || key === 'ArrowRight' || key === 'ArrowUp' || key === 'ArrowDown';
}

/** Tiles a row is short of; half as many stand empty on either side of it. */
export function missing(row: number, wall: Wall, count: number): number {
  return Math.max(0, Math.min(wall.columns, (row + 1) * wall.columns - count));
}

/** Where an arrow key leads from a tile; the same tile at the edge. */
export function neighbour(index: number, arrow: Arrow, columns: number, count: number): number {
  const column = index % columns;
  switch (arrow) {
    case 'ArrowLeft':
      return column > 0 ? index - 1 : index;
    case 'ArrowRight':
      return column < columns - 1 && index + 1 < count ? index + 1 : index;
    case 'ArrowUp':
      return index - columns >= 0 ? index - columns : index;
    case 'ArrowDown':
      return index + columns < count ? index + columns : index;
  }
}

/** Saved order first, as far as it still exists; what is new comes after, in its own order. */
export function inOrder<T>(items: readonly T[], key: (item: T) => string, saved: readonly string[]): T[] {
  const place = new Map(saved.map((id, index) => [id, index]));
  return items
    .map((item, index) => ({ item, at: place.get(key(item)) ?? saved.length + index }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** The list with one entry taken out and put in at another place. */
export function moved(order: readonly string[], from: number, to: number): string[] {
  const next = [...order];
  const [taken] = next.splice(from, 1);
  if (taken === undefined) return next;
  next.splice(Math.max(0, Math.min(to, next.length)), 0, taken);
  return next;
}
