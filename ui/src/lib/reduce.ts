// How a list follows the stream of changes. Pure: rows that did not change stay the same objects.

import type { Camera, Change, Channel, Storage } from '../api/types';

interface Row {
  id: string;
  name: string;
}

function byName(a: Row, b: Row): number {
  return a.name.localeCompare(b.name, undefined, { numeric: true, sensitivity: 'base' }) || (a.id < b.id ? -1 : 1);
}

/** Rows in the order people see them. */
export function sorted<T extends Row>(rows: readonly T[]): readonly T[] {
  return [...rows].sort(byName);
}

/** Adds or replaces a row. */
export function put<T extends Row>(rows: readonly T[], row: T): readonly T[] {
  const at = rows.findIndex((r) => r.id === row.id);
  if (at < 0) return sorted([...rows, row]);
  const next = rows.with(at, row);
  return rows[at]?.name === row.name ? next : sorted(next);
}

/** Takes a row out. */
export function drop<T extends Row>(rows: readonly T[], id: string): readonly T[] {
  return rows.some((r) => r.id === id) ? rows.filter((r) => r.id !== id) : rows;
}

/** Cameras after a change. */
export function reduceCameras(rows: readonly Camera[], change: Change): readonly Camera[] {
  if (change.type === 'camera') return put(rows, change.camera);
  if (change.type === 'camera_removed') return drop(rows, change.id);
  return rows;
}

/** Channels after a change. */
export function reduceChannels(rows: readonly Channel[], change: Change): readonly Channel[] {
  if (change.type === 'channel') return put(rows, change.channel);
  if (change.type === 'channel_removed') return drop(rows, change.id);
  return rows;
}

/** Storage after a change. */
export function reduceStorage(storage: Storage, change: Change): Storage {
  if (change.type === 'uploads') return { ...storage, uploads: change.uploads };
  if (change.type === 'disk') return { ...storage, disk: change.disk };
  return storage;
}
