// What is done to clips, snapshots and exports from their lists: done, told, and the list kept true.

import { call } from '../api/call';
import { asApiError } from '../api/error';
import type { Clip, Export, Snapshot } from '../api/types';
import { toast } from '../kit';
import { download, fileName } from '../lib/download';
import type { Paged } from '../lib/paged.svelte';
import { errorText } from '../lib/texts';
import { texts } from './texts';

function tell(thrown: unknown): void {
  toast.error(errorText(asApiError(thrown)));
}

/** Runs an action; says why when it was not done. Answers whether it was. */
async function done(action: () => Promise<void>, said?: string): Promise<boolean> {
  try {
    await action();
    if (said !== undefined) toast.success(said);
    return true;
  } catch (thrown) {
    tell(thrown);
    return false;
  }
}

export function renameClip(list: Paged<Clip>, clip: Clip, name: string): Promise<boolean> {
  return done(async () => list.put(await call('clip_update', { id: clip.clip_id, name })), texts.clips.renamed);
}

export function finishClip(list: Paged<Clip>, clip: Clip): Promise<boolean> {
  return done(async () => list.put(await call('clip_cancel', { id: clip.clip_id })));
}

export function retryClip(list: Paged<Clip>, clip: Clip): Promise<boolean> {
  return done(async () => list.put(await call('clip_retry', { id: clip.clip_id })), texts.clips.retried);
}

/** For a dialog that asked first: throws when it was not done, so that the dialog stays. */
export async function deleteClip(list: Paged<Clip>, clip: Clip): Promise<void> {
  try {
    await call('clip_delete', { id: clip.clip_id });
    list.drop(clip.clip_id);
    toast.success(texts.clips.deleted(clip.name));
  } catch (thrown) {
    tell(thrown);
    throw thrown;
  }
}

/** Saves the file of a clip, by an address signed now. */
export function downloadClip(list: Paged<Clip>, clip: Clip): Promise<boolean> {
  return done(async () => {
    const fresh = await call('clip_get', { id: clip.clip_id });
    list.put(fresh);
    if (fresh.url != null) await download(fresh.url, fileName(fresh.name, 'mp4'));
  });
}

export async function deleteSnapshot(list: Paged<Snapshot>, snapshot: Snapshot): Promise<void> {
  try {
    await call('snapshot_delete', { id: snapshot.snapshot_id });
    list.drop(snapshot.snapshot_id);
    toast.success(texts.snapshots.deleted);
  } catch (thrown) {
    tell(thrown);
    throw thrown;
  }
}

/** Saves the picture of a snapshot, by an address signed now. */
export function downloadSnapshot(list: Paged<Snapshot>, snapshot: Snapshot, file: string): Promise<boolean> {
  return done(async () => {
    const fresh = await call('snapshot_get', { id: snapshot.snapshot_id });
    list.put(fresh);
    if (fresh.url != null) await download(fresh.url, file);
  });
}

export function cancelExport(list: Paged<Export>, job: Export): Promise<boolean> {
  return done(async () => list.put(await call('export_cancel', { id: job.export_id })));
}

export function retryExport(list: Paged<Export>, job: Export): Promise<boolean> {
  return done(async () => list.put(await call('export_retry', { id: job.export_id })), texts.exports.retried);
}

export async function deleteExport(list: Paged<Export>, job: Export): Promise<void> {
  try {
    await call('export_delete', { id: job.export_id });
    list.drop(job.export_id);
    toast.success(texts.exports.deleted);
  } catch (thrown) {
    tell(thrown);
    throw thrown;
  }
}

/** Saves a file of an export, by an address signed now. */
export function downloadExport(list: Paged<Export>, job: Export, urlOf: (fresh: Export) => string | null | undefined, file: string): Promise<boolean> {
  return done(async () => {
    const fresh = await call('export_get', { id: job.export_id });
    list.put(fresh);
    const url = urlOf(fresh);
    if (url != null) await download(url, file);
  });
}
