// The storage settings: what is typed, what is wrong with it, and what of it is sent.

import type { Input } from '../api/call';
import type { StorageSettings } from '../api/types';
import { rebased } from '../lib/forms';
import { chosen, joined, staysBelow } from './folder';
import { numberText, thousandsOrNone, thousandsText, wholeNumber, wholeOrNone } from '../lib/numbers';
import { ACCOUNT } from './presets';
import { texts } from './texts';

export interface StorageForm {
  destination: StorageSettings['destination'];
  endpoint: string;
  region: string;
  bucket: string;
  prefix: string;
  producedBucket: string;
  producedPrefix: string;
  addressing: StorageSettings['addressing'];
  credentials: StorageSettings['credentials'];
  /** Write-only: empty is what is kept. */
  keyId: string;
  secret: string;
  profile: string;
  /** An approved folder. */
  root: string;
  /** The folder below it. */
  sub: string;
  direct: boolean;
  atOnce: string;
  /** Mbit/s. */
  limit: string;
  window: boolean;
  from: string;
  to: string;
  keepLocal: string;
  days: string;
  bucketDays: string;
  /** GB. */
  reserve: string;
  deleteUnuploaded: boolean;
  queue: string;
}

export type StorageField = keyof StorageForm;
export type StorageErrors = Partial<Record<StorageField, string>>;
type Update = Input<'storage_update'>;

/** The form with what is set. */
export function storageForm(settings: StorageSettings, roots: readonly string[]): StorageForm {
  const folder = chosen(settings.folder, roots);
  return {
    destination: settings.destination,
    endpoint: settings.endpoint ?? '',
    region: settings.region,
    bucket: settings.bucket,
    prefix: settings.prefix,
    producedBucket: settings.produced_bucket ?? '',
    producedPrefix: settings.produced_prefix ?? '',
    addressing: settings.addressing,
    credentials: settings.credentials,
    keyId: '',
    secret: '',
    profile: settings.profile ?? '',
    root: folder.root,
    sub: folder.sub,
    direct: settings.direct,
    atOnce: String(settings.uploads_at_once),
    limit: thousandsText(settings.bandwidth_kbps),
    window: settings.window != null,
    from: settings.window?.from ?? '22:00',
    to: settings.window?.to ?? '06:00',
    keepLocal: numberText(settings.keep_local_hours),
    days: numberText(settings.retention_days),
    bucketDays: numberText(settings.bucket_days),
    reserve: thousandsText(settings.reserve_mb),
    deleteUnuploaded: settings.delete_unuploaded,
    queue: settings.notices_queue ?? '',
  };
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*\/?$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

/** An address of host and port alone. */
function isEndpoint(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  return url.hostname !== '' && url.username === '' && url.password === '' && url.search === '' && url.hash === '' && url.pathname === '/' && !/[?#@]/.test(text);
}

function isQueue(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  return url.username === '' && url.password === '' && url.search === '' && url.hash === '' && url.pathname.length > 1;
}

function bucketErrors(form: StorageForm, hasKeys: boolean): StorageErrors {
  const t = texts.errors;
  const errors: StorageErrors = {};
  const endpoint = form.endpoint.trim();
  if (endpoint.toUpperCase().includes(ACCOUNT)) errors.endpoint = t.account;
  else if (endpoint !== '' && !isEndpoint(endpoint)) errors.endpoint = t.endpoint;
  const bucket = form.bucket.trim();
  if (bucket === '') errors.bucket = t.bucket;
  else if (!BUCKET.test(bucket)) errors.bucket = t.bucketName;
  const produced = form.producedBucket.trim();
  if (produced !== '' && !BUCKET.test(produced)) errors.producedBucket = t.bucketName;
  for (const field of ['prefix', 'producedPrefix'] as const) {
    const text = form[field].trim();
    if (text !== '' && (!PREFIX.test(text) || text.split('/').some((part) => part === '.' || part === '..'))) errors[field] = t.prefix;
  }
  if (form.credentials === 'keys') {
    const [id, secret] = [form.keyId.trim(), form.secret.trim()];
    if (id === '' && secret === '') {
      if (!hasKeys) errors.keyId = t.keys;
    } else if (id === '') errors.keyId = t.keyHalf;
    else if (secret === '') errors.secret = t.keyHalf;
  }
  return errors;
}

/** What has to be mended before the destination can be tried. */
export function destinationErrors(form: StorageForm, hasKeys: boolean): StorageErrors {
  if (form.destination === 's3') return bucketErrors(form, hasKeys);
  if (form.destination !== 'folder') return {};
  if (form.root === '') return { root: texts.destination.noRoots };
  return staysBelow(form.sub) ? {} : { sub: texts.errors.sub };
}

/** What has to be mended before the settings can be saved. */
export function storageErrors(form: StorageForm, hasKeys: boolean): StorageErrors {
  const t = texts.errors;
  const errors = destinationErrors(form, hasKeys);
  if (wholeNumber(form.atOnce, 1, 16) === undefined) errors.atOnce = t.number('1', '16');
  if (thousandsOrNone(form.limit) === undefined) errors.limit = t.amount;
  if (form.window) {
    if (!TIME.test(form.from)) errors.from = t.time;
    if (!TIME.test(form.to)) errors.to = t.time;
    else if (form.from === form.to) errors.to = t.windowSame;
  }
  if (wholeOrNone(form.keepLocal, 1, 8760) === undefined) errors.keepLocal = t.numberOrEmpty('1', '8760');
  if (wholeOrNone(form.days, 1, 3650) === undefined) errors.days = t.numberOrEmpty('1', '3650');
  if (wholeOrNone(form.bucketDays, 1, 3650) === undefined) errors.bucketDays = t.numberOrEmpty('1', '3650');
  if (thousandsOrNone(form.reserve) === undefined) errors.reserve = t.amount;
  if (form.queue.trim() !== '' && !isQueue(form.queue.trim())) errors.queue = t.queue;
  return errors;
}

const PARTS: Readonly<Record<string, readonly StorageField[]>> = {
  uploads: ['atOnce', 'limit', 'from', 'to', 'keepLocal', 'queue'],
  keeping: ['days', 'bucketDays', 'reserve'],
};

/** The part of the page where the first mistake is. */
export function partOf(errors: StorageErrors): 'destination' | 'uploads' | 'keeping' | undefined {
  const fields = Object.keys(errors) as StorageField[];
  if (fields.length === 0) return undefined;
  if (fields.some((field) => !PARTS['uploads']?.includes(field) && !PARTS['keeping']?.includes(field))) return 'destination';
  return fields.some((field) => PARTS['uploads']?.includes(field)) ? 'uploads' : 'keeping';
}

function put<K extends keyof Update>(update: Update, name: K, value: Update[K], before: Update[K]): void {
  if (value !== before) update[name] = value;
}

/** What is sent: only what differs. The form is valid. */
export function storageUpdate(settings: StorageSettings, form: StorageForm): Update {
  const update = {} as Update;
  put(update, 'destination', form.destination, settings.destination);
  put(update, 'endpoint', form.endpoint.trim(), settings.endpoint ?? '');
  put(update, 'region', form.region.trim(), settings.region);
  put(update, 'bucket', form.bucket.trim(), settings.bucket);
  put(update, 'prefix', form.prefix.trim().replace(/\/$/, ''), settings.prefix);
  put(update, 'produced_bucket', form.producedBucket.trim(), settings.produced_bucket ?? '');
  put(update, 'produced_prefix', form.producedPrefix.trim().replace(/\/$/, ''), settings.produced_prefix ?? '');
  put(update, 'addressing', form.addressing, settings.addressing);
  put(update, 'credentials', form.credentials, settings.credentials);
  put(update, 'profile', form.profile.trim(), settings.profile ?? '');
  if (form.credentials === 'keys' && (form.keyId.trim() !== '' || form.secret.trim() !== '')) {
    update.key_id = form.keyId.trim();
    update.secret = form.secret.trim();
  }
  // A folder that is only looked at is not set.
  if (form.destination === 'folder') put(update, 'folder', joined(form), settings.folder ?? '');
  put(update, 'direct', form.direct, settings.direct);
  put(update, 'uploads_at_once', wholeNumber(form.atOnce, 1, 16) ?? settings.uploads_at_once, settings.uploads_at_once);
  put(update, 'bandwidth_kbps', thousandsOrNone(form.limit) ?? 0, settings.bandwidth_kbps ?? 0);
  put(update, 'keep_local_hours', wholeOrNone(form.keepLocal, 1, 8760) ?? 0, settings.keep_local_hours ?? 0);
  put(update, 'retention_days', wholeOrNone(form.days, 1, 3650) ?? 0, settings.retention_days ?? 0);
  put(update, 'bucket_days', wholeOrNone(form.bucketDays, 1, 3650) ?? 0, settings.bucket_days ?? 0);
  put(update, 'reserve_mb', thousandsOrNone(form.reserve) ?? 0, settings.reserve_mb ?? 0);
  put(update, 'delete_unuploaded', form.deleteUnuploaded, settings.delete_unuploaded);
  put(update, 'notices_queue', form.queue.trim(), settings.notices_queue ?? '');
  const window = settings.window ?? undefined;
  if (form.window) {
    if (window?.from !== form.from || window.to !== form.to) update.window = { from: form.from, to: form.to };
  } else if (window !== undefined) {
    // The same time twice is always.
    update.window = { from: '00:00', to: '00:00' };
  }
  return update;
}

/** The form when the settings were changed elsewhere. What it does not send as its own change would undo theirs. */
export function followed(form: StorageForm, before: StorageSettings, now: StorageSettings, roots: readonly string[]): StorageForm {
  return rebased(form, storageForm(before, roots), storageForm(now, roots));
}

/** Whether anything differs from what is set. What is not valid differs too. */
export function isStorageChanged(settings: StorageSettings, form: StorageForm, roots: readonly string[]): boolean {
  const before = storageForm(settings, roots);
  const hidden = new Set<StorageField>();
  if (form.destination !== 'folder') hidden.add('root').add('sub');
  if (!form.window && !before.window) hidden.add('from').add('to');
  return (Object.keys(form) as StorageField[]).some((field) => !hidden.has(field) && form[field] !== before[field]);
}
