// The arrangement of the wall, kept in this browser.

import { LAYOUTS, type LayoutChoice } from './layout';

const KEY = 'oriel.live.wall';
const MAX_ORDER = 1000;

export interface Places {
  layout: LayoutChoice;
  /** Channel ids. */
  order: readonly string[];
}

type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem'>;

/** What was kept; the default when nothing was, or when it cannot be read. */
export function readPlaces(storage: Storage = localStorage): Places {
  const places: Places = { layout: 'auto', order: [] };
  try {
    const value: unknown = JSON.parse(storage.getItem(KEY) ?? 'null');
    if (typeof value !== 'object' || value === null) return places;
    const layout = 'layout' in value ? value.layout : undefined;
    const order = 'order' in value ? value.order : undefined;
    return {
      layout: LAYOUTS.find((n) => n === layout) ?? 'auto',
      order: Array.isArray(order) ? order.filter((id) => typeof id === 'string').slice(0, MAX_ORDER) : [],
    };
  } catch {
    return places;
  }
}

export function savePlaces(places: Places, storage: Storage = localStorage): void {
  try {
    storage.setItem(KEY, JSON.stringify(places));
  } catch {
    // A browser that keeps nothing shows the default order next time.
  }
}
