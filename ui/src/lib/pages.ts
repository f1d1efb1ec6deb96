// The pages of the side bar, in their order.

export const PAGES = ['live', 'playback', 'library', 'cameras', 'events', 'storage', 'settings'] as const;
export type Page = (typeof PAGES)[number];

/** What the library shows, each under its own address. */
export const SHELVES = ['clips', 'snapshots', 'exports'] as const;
export type Shelf = (typeof SHELVES)[number];

export function pagePath(page: Page): string {
  return page === 'library' ? '/clips' : `/${page}`;
}

/** The shelf of the library an address shows; undefined when it is another page. */
export function shelfOf(path: string): Shelf | undefined {
  const first = path.split('/')[1];
  return SHELVES.find((shelf) => shelf === first);
}

/** The page an address shows; undefined when there is none. `/` shows Live. */
export function pageOf(path: string): Page | undefined {
  if (path === '/' || path === '/index.html') return 'live';
  if (shelfOf(path) !== undefined) return 'library';
  const first = path.split('/')[1];
  return PAGES.find((page) => page === first);
}
