// Addresses of pages, as text and as parts.

/** Fields of a query; undefined ones are left out. */
export type Query = Readonly<Record<string, string | undefined>>;

export interface Target {
  path: string;
  query: Query;
}

/** `/playback?channel=a` in parts. Empty text is `/`. */
export function parseTarget(text: string): Target {
  const [path = '', query = ''] = text.split('?', 2);
  const clean = `/${path.replace(/^\/+|\/+$/g, '')}`;
  return { path: clean, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Parts as text. */
export function targetOf(path: string, query: Query = {}): string {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') fields.set(name, value);
  const text = fields.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Whether both lead to the same page with the same query. */
export function sameTarget(a: Target, b: Target): boolean {
  return targetOf(a.path, a.query) === targetOf(b.path, b.query);
}
