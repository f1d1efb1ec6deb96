// Getting a file out of the page: what the browser downloads, and addresses for other people.

import { mediaUrl } from '../shell';

/**
 * The address to save a file from. The recorder's own answer as attachments when asked; those of
 * a bucket are signed as they are and must stay so.
 */
export function downloadHref(url: string): string {
  const address = new URL(mediaUrl(url));
  if (!address.pathname.startsWith('/api/')) return address.href;
  address.searchParams.set('download', '1');
  return address.href;
}

/** A name that every file system takes. */
export function fileName(name: string, ending: string): string {
  const plain = Array.from(name, (c) => (c < ' ' || '/\\:*?"<>|'.includes(c) ? '-' : c)).join('');
  return `${plain.replace(/[. ]+$/, '').slice(0, 120) || 'oriel'}.${ending}`;
}

/** Saves a file. The page stays where it is, whatever answers. */
export function download(url: string, name: string): void {
  const anchor = document.createElement('a');
  anchor.href = downloadHref(url);
  anchor.download = name;
  anchor.rel = 'noopener';
  // A bucket may show the file instead of saving it: then in a tab of its own.
  if (new URL(anchor.href).origin !== new URL(mediaUrl('/')).origin) anchor.target = '_blank';
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}
