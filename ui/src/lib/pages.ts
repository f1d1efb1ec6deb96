// The pages of the side bar, in their order.

export const PAGES = ['live', 'playback', 'cameras', 'events', 'settings'] as const;
export type Page = (typeof PAGES)[number];

export function pagePath(page: Page): string {
  return `/${page}`;
}

/** The page an address shows; undefined when there is none. `/` shows Live. */
export function pageOf(path: string): Page | undefined {
  if (path === '/' || path === '/index.html') return 'live';
  const first = path.split('/')[1];
  return PAGES.find((page) => page === first);
}
