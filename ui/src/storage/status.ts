// The disk and the queue of uploads in words and colours.

import type { DiskState, StorageSettings, UploadStatus } from '../api/types';
import type { Tone } from '../kit';
import { duration, ms } from '../lib/time';
import { bytes } from '../lib/units';
import { texts } from './texts';

export interface Words {
  tone: Tone;
  title: string;
  /** What it means and what to do. */
  text: string;
}

const DISK_TONES: Readonly<Record<DiskState['level'], Tone>> = {
  ok: 'ok',
  low: 'warn',
  deleting: 'warn',
  stopped: 'bad',
  missing: 'bad',
  read_only: 'bad',
};

const UPLOAD_TONES: Readonly<Record<UploadStatus['state'], Tone>> = {
  off: 'neutral',
  idle: 'ok',
  uploading: 'accent',
  outside_window: 'neutral',
  retrying: 'warn',
  stopped: 'bad',
};

export function diskWords(disk: DiskState): Words {
  const text = disk.message === '' ? texts.disk.sentences[disk.level] : disk.message;
  return { tone: DISK_TONES[disk.level], title: texts.disk.levels[disk.level], text };
}

export interface DiskBar {
  /** Shares of the disk, 0 to 1. */
  used: number;
  /** The part of the reserve that is still free. */
  reserve: number;
  usedBytes: number;
  freeBytes: number;
  totalBytes: number;
}

/** How full the disk is; undefined when it does not say. */
export function diskBar(disk: DiskState): DiskBar | undefined {
  if (disk.free == null || disk.total == null || disk.total <= 0) return undefined;
  const free = Math.min(disk.total, Math.max(0, disk.free));
  return {
    used: 1 - free / disk.total,
    reserve: Math.min(disk.reserve, free) / disk.total,
    usedBytes: disk.total - free,
    freeBytes: free,
    totalBytes: disk.total,
  };
}

/** Milliseconds until everything that waits is uploaded, at the speed of now; undefined when nobody can say. */
export function uploadLeft(uploads: UploadStatus): number | undefined {
  if (uploads.state !== 'uploading' || uploads.bytes_per_second <= 0 || uploads.waiting_bytes <= 0) return undefined;
  return (uploads.waiting_bytes / uploads.bytes_per_second) * 1000;
}

/** `destined`: a destination is set. The queue itself learns that a moment later. */
export function uploadWords(uploads: UploadStatus, now: number, destined: boolean): Words {
  const t = texts.queue;
  if (uploads.state === 'off' && destined) return { tone: 'neutral', title: t.starting, text: t.startingText };
  const retry = ms(uploads.retry_at);
  const again = uploads.state === 'retrying' && retry !== undefined && retry > now ? ` ${t.retryIn(duration(retry - now))}` : '';
  const text = uploads.error != null && uploads.error !== '' ? uploads.error : t.sentences[uploads.state];
  return { tone: UPLOAD_TONES[uploads.state], title: t.states[uploads.state], text: text + again };
}

export interface Fact {
  label: string;
  value: string;
}

/** What stands below the state of the queue. */
export function uploadFacts(uploads: UploadStatus, now: number): Fact[] {
  const t = texts.queue;
  const oldest = ms(uploads.oldest);
  const left = uploadLeft(uploads);
  const waiting = uploads.waiting === 0 ? t.nothing : t.waitingOf(uploads.waiting.toLocaleString('en'), bytes(uploads.waiting_bytes));
  const facts: Fact[] = [{ label: t.waiting, value: waiting }];
  if (oldest !== undefined && uploads.waiting > 0) facts.push({ label: t.oldest, value: t.ago(duration(Math.max(0, now - oldest))) });
  if (uploads.state === 'uploading') facts.push({ label: t.speed, value: t.speedOf(bytes(uploads.bytes_per_second)) });
  if (left !== undefined) facts.push({ label: t.left, value: t.leftOf(duration(left)) });
  facts.push({ label: t.done, value: uploads.uploaded === 0 ? t.nothing : t.waitingOf(uploads.uploaded.toLocaleString('en'), bytes(uploads.uploaded_bytes)) });
  return facts;
}

/** Where uploads go, in a few words; undefined when nowhere. */
export function destinationText(settings: StorageSettings): string | undefined {
  if (settings.destination === 'folder') return settings.folder ?? undefined;
  if (settings.destination !== 's3') return undefined;
  const service = settings.endpoint == null || settings.endpoint === '' ? `AWS ${settings.region}` : settings.endpoint.replace(/^https?:\/\//, '');
  const prefix = settings.prefix === '' ? '' : `/${settings.prefix}`;
  return `${settings.bucket}${prefix} · ${service}`;
}

export interface Alarm {
  title: string;
  text: string;
}

/** What has to be seen on every page; the disk before the uploads. */
export function alarmOf(disk: DiskState | undefined, uploads: UploadStatus | undefined): Alarm | undefined {
  if (disk !== undefined && (disk.level === 'stopped' || disk.level === 'missing' || disk.level === 'read_only')) {
    return { title: texts.alarm.disk[disk.level], text: diskWords(disk).text };
  }
  if (uploads?.state === 'stopped') return { title: texts.alarm.uploads, text: uploadWords(uploads, 0, true).text };
  return undefined;
}
