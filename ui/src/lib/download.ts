// Getting a file out of the page: the browser saves it, or the window of the desktop app does.

import { ApiError, refusalOf } from '../api/error';
import { mediaUrl } from '../shell';

/** The address to save a file from: the recorder then answers with an attachment of that name. */
export function downloadHref(url: string, name: string): string {
  const address = new URL(mediaUrl(url));
  address.searchParams.set('download', name);
  return address.href;
}

/** A name that every file system takes. */
export function fileName(name: string, ending: string): string {
  const plain = Array.from(name, (c) => (c < ' ' || '/\\:*?"<>|'.includes(c) ? '-' : c)).join('');
  return `${plain.replace(/[. ]+$/, '').slice(0, 120) || 'oriel'}.${ending}`;
}

export interface DownloadParts {
  fetch: typeof fetch;
  click: (href: string, name: string) => void;
}

const real: DownloadParts = {
  fetch: (...args) => globalThis.fetch(...args),
  click(href, name) {
    const anchor = document.createElement('a');
    anchor.href = href;
    anchor.download = name;
    anchor.rel = 'noopener';
    document.body.append(anchor);
    anchor.click();
    anchor.remove();
  },
};

/**
 * Saves a file of the recorder. Throws ApiError when there is none to save: a refusal must be told
 * here, and must not fill the window instead of the page.
 */
export async function download(url: string, name: string, parts = real): Promise<void> {
  const href = downloadHref(url, name);
  let answer: Response;
  try {
    answer = await parts.fetch(href, { headers: { Range: 'bytes=0-0' }, cache: 'no-store' });
  } catch (thrown) {
    throw new ApiError('unreachable', 'The recorder does not answer.', String(thrown));
  }
  if (!answer.ok) throw await refusalOf(answer);
  await answer.body?.cancel();
  parts.click(href, name);
}
