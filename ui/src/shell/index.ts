// Where the page runs: a browser, or the window of the desktop app. Only this folder knows the
// difference, and each twin is loaded only where it is used.

import { useTransport, type Transport } from '../api/call';

/** How a file that the surrounding saves is getting on. */
export interface DownloadReport {
  /** The same from its start to its end. */
  number: number;
  state: 'started' | 'saved' | 'failed';
  name: string;
  /** Name of the folder it goes to. */
  folder: string;
}

/** What a surrounding has to bring. */
export interface Shell {
  /** Whether this is the desktop window. */
  readonly desktop: boolean;
  readonly transport: Transport;
  /** Origin of `/api/live`, `/api/recordings` and other media, without a slash at the end. */
  readonly mediaBase: () => Promise<string>;
  /** Whether somebody is signed in. */
  readonly session: () => Promise<boolean>;
  /** Follows the files that are saved, where nothing else tells of them. */
  readonly downloads?: (told: (report: DownloadReport) => void) => void;
}

let current: Shell | undefined;
let told: ((report: DownloadReport) => void) | undefined;
let base = typeof location === 'undefined' ? '' : location.origin;

/** Whether the page runs in the desktop window. */
export function isDesktop(): boolean {
  return typeof window !== 'undefined' && '__TAURI_INTERNALS__' in window;
}

/**
 * Connects the page to its recorder. Answers whether somebody is signed in; throws ApiError when
 * the recorder does not answer. May be called again.
 */
export async function start(signedOut: () => void): Promise<boolean> {
  if (current === undefined) {
    current = isDesktop() ? (await import('./desktop')).desktop() : (await import('./web')).web(signedOut);
    useTransport(current.transport);
    current.downloads?.((report) => told?.(report));
  }
  const signedIn = await current.session();
  if (signedIn) base = await current.mediaBase();
  return signedIn;
}

/** Tells of the files that the surrounding saves. */
export function followDownloads(tell: (report: DownloadReport) => void): void {
  told = tell;
}

/** A server path such as `/api/recordings/…` as an absolute address to load from. */
export function mediaUrl(path: string): string {
  return new URL(path, base).href;
}

/** A server path such as `/api/live/…` as an absolute WebSocket address. */
export function socketUrl(path: string): string {
  const url = new URL(path, base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
