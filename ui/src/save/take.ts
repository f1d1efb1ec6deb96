// Taking a snapshot: an entry first, then the picture, from this page or from the recorder.

import { call } from '../api/call';
import { ApiError, asApiError } from '../api/error';
import type { Snapshot } from '../api/types';
import { rfc3339 } from '../lib/time';
import { mediaUrl } from '../shell';
import { texts } from './texts';

const LARGEST_BYTES = 8 * 1024 * 1024;
const ASK_MS = 500;
/** The recorder gives up earlier; this ends the waiting when it never says so. */
const LONGEST_MS = 30_000;

export interface TakeParts {
  fetch: typeof fetch;
  sleep: (ms: number) => Promise<void>;
}

const real: TakeParts = {
  fetch: (...args) => globalThis.fetch(...args),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** A picture that is to be kept. */
export interface Picture {
  channel: string;
  /** The moment it shows, milliseconds since 1970. */
  taken: number;
  /** What is shown; null when it cannot be read. */
  picture: Blob | null;
  /** Whether the recorder may take one of now instead: not when the moment is past. */
  orNow: boolean;
  /** What is shown is smaller than what the camera can send. */
  small?: boolean;
}

/** Keeps the best picture there is of a moment. Throws ApiError. */
export async function keepSnapshot({ channel, taken, picture, orNow, small = false }: Picture, parts = real): Promise<Snapshot> {
  if (picture === null) {
    if (!orNow) throw new ApiError('precondition_failed', texts.snapshot.unreadable);
    return askSnapshot(channel, parts);
  }
  // A small picture is better than none.
  const larger = small && orNow ? await askSnapshot(channel, parts).catch(() => null) : null;
  return larger ?? sendSnapshot(channel, taken, picture, parts);
}

/** Keeps a picture of this page. Throws ApiError; nothing half-made is left behind then. */
export async function sendSnapshot(channel: string, taken: number, picture: Blob, parts = real): Promise<Snapshot> {
  if (picture.size > LARGEST_BYTES) throw new ApiError('invalid_argument', texts.snapshot.tooLarge);
  const entry = await call('snapshot_create', { id: channel, source: 'client', taken: rfc3339(taken) });
  try {
    if (!entry.upload_url) throw new ApiError('internal', texts.snapshot.failed);
    await put(entry.upload_url, entry.upload_headers, picture, parts);
    return await call('snapshot_confirm', { id: entry.snapshot_id });
  } catch (thrown) {
    await call('snapshot_delete', { id: entry.snapshot_id }).catch(() => undefined);
    throw asApiError(thrown);
  }
}

async function put(url: string, headers: Readonly<Record<string, string>> | undefined, picture: Blob, parts: TakeParts): Promise<void> {
  const all = new Headers({ 'Content-Type': 'image/jpeg' });
  for (const [name, value] of Object.entries(headers ?? {})) all.set(name, value);
  let response: Response;
  try {
    response = await parts.fetch(mediaUrl(url), { method: 'PUT', body: picture, credentials: 'omit', headers: all });
  } catch {
    throw new ApiError('unavailable', texts.snapshot.unsent);
  }
  if (!response.ok) throw new ApiError('unavailable', texts.snapshot.refused(response.status));
}

/** Has the recorder take a picture of the camera as it is now. Throws ApiError. */
export async function askSnapshot(channel: string, parts = real): Promise<Snapshot> {
  let snapshot = await call('snapshot_create', { id: channel, source: 'agent' });
  for (let waited = 0; snapshot.status === 'pending'; waited += ASK_MS) {
    if (waited >= LONGEST_MS) throw new ApiError('unavailable', texts.snapshot.late);
    await parts.sleep(ASK_MS);
    snapshot = await call('snapshot_get', { id: snapshot.snapshot_id });
  }
  if (snapshot.status === 'failed') throw new ApiError('unavailable', snapshot.reason ?? texts.snapshot.failed);
  return snapshot;
}
