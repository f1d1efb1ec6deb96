// What the lists of the library read, and what changes mean for them.

import { call } from '../api/call';
import type { Clip, Export, Snapshot } from '../api/types';
import type { PagedSource } from '../lib/paged.svelte';
import { ms } from '../lib/time';

const PAGE = 60;

/** Clips, of one channel or all. */
export function clipSource(channel: () => string | undefined): PagedSource<Clip> {
  return {
    id: (clip) => clip.clip_id,
    at: (clip) => ms(clip.created) ?? 0,
    read: (after) => call('clip_list', { channel_id: channel() ?? null, limit: PAGE, after }),
    change: (change) => {
      if (change.type === 'clip') return { row: change.clip };
      return change.type === 'clip_removed' ? { gone: change.id } : null;
    },
    belongs: (clip) => channel() === undefined || clip.channel_id === channel(),
  };
}

/** Snapshots, of one channel or all. */
export function snapshotSource(channel: () => string | undefined): PagedSource<Snapshot> {
  return {
    id: (snapshot) => snapshot.snapshot_id,
    at: (snapshot) => ms(snapshot.taken) ?? 0,
    read: (after) => {
      const id = channel();
      return id === undefined ? call('snapshot_list', { limit: PAGE, after }) : call('channel_snapshots', { id, limit: PAGE, after });
    },
    change: (change) => {
      if (change.type === 'snapshot') return { row: change.snapshot };
      return change.type === 'snapshot_removed' ? { gone: change.id } : null;
    },
    belongs: (snapshot) => channel() === undefined || snapshot.channel_id === channel(),
  };
}

/** Exports. */
export function exportSource(): PagedSource<Export> {
  return {
    id: (job) => job.export_id,
    at: (job) => ms(job.created) ?? 0,
    read: (after) => call('export_list', { limit: PAGE, after }),
    change: (change) => {
      if (change.type === 'export') return { row: change.export };
      return change.type === 'export_removed' ? { gone: change.id } : null;
    },
    belongs: () => true,
  };
}
