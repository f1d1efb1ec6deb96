import { describe, expect, it } from 'vitest';
import type { StorageSettings } from '../api/types';
import { chosen, joined, rootOptions, staysBelow } from './folder';
import { destinationErrors, followed, isStorageChanged, partOf, storageErrors, storageForm, storageUpdate, type StorageForm } from './form';
import { thousandsOrNone, thousandsText, wholeOrNone } from '../lib/numbers';
import { PRESETS } from './presets';

const ROOTS = ['/data', '/mnt/disk'];
const settings: StorageSettings = {
  destination: 'none', region: 'us-east-1', bucket: '', prefix: '', addressing: 'path', credentials: 'keys',
  has_keys: false, direct: false, uploads_at_once: 2, delete_unuploaded: false,
};
const s3: StorageSettings = { ...settings, destination: 's3', endpoint: 'https://s3.example.com', bucket: 'footage', has_keys: true };
const formOf = (kept: StorageSettings, typed: Partial<StorageForm> = {}): StorageForm => ({ ...storageForm(kept, ROOTS), ...typed });

describe('what is typed', () => {
  it('sends nothing and counts as unchanged when nothing differs', () => {
    for (const kept of [settings, s3, { ...settings, destination: 'folder' as const, folder: '/mnt/disk/copies' }]) {
      expect(storageUpdate(kept, formOf(kept))).toEqual({});
      expect(isStorageChanged(kept, formOf(kept), ROOTS)).toBe(false);
    }
  });
  it('follows what is set elsewhere but where somebody types here', () => {
    const elsewhere = { ...s3, retention_days: 9 };
    expect(followed(formOf(s3), s3, elsewhere, ROOTS).days).toBe('9');
    const typed = formOf(s3, { bucket: 'mine' });
    expect(followed(typed, s3, elsewhere, ROOTS)).toEqual(formOf(elsewhere, { bucket: 'mine' }));
    // Else saving the one would undo the other.
    expect(storageUpdate(elsewhere, followed(typed, s3, elsewhere, ROOTS))).toEqual({ bucket: 'mine' });
  });
  it('sends only what differs', () => {
    expect(storageUpdate(s3, formOf(s3, { bucket: ' other ', limit: '2.5', days: '30' }))).toEqual({ bucket: 'other', bandwidth_kbps: 2500, retention_days: 30 });
  });
  it('takes a setting away by 0 and empty text', () => {
    const kept = { ...s3, bandwidth_kbps: 800, retention_days: 9, reserve_mb: 5000, keep_local_hours: 24, notices_queue: 'https://sqs.example.com/1/q' };
    const update = storageUpdate(kept, formOf(kept, { limit: '', days: '', reserve: '', keepLocal: '', queue: '', endpoint: '' }));
    expect(update).toEqual({ bandwidth_kbps: 0, retention_days: 0, reserve_mb: 0, keep_local_hours: 0, notices_queue: '', endpoint: '' });
  });
  it('knows the hours of uploads, and that the same time twice is always', () => {
    const kept = { ...s3, window: { from: '22:00', to: '06:00' } };
    expect(storageUpdate(s3, formOf(s3, { window: true, from: '23:15', to: '05:00' })).window).toEqual({ from: '23:15', to: '05:00' });
    expect(storageUpdate(kept, formOf(kept))).toEqual({});
    expect(storageUpdate(kept, formOf(kept, { window: false })).window).toEqual({ from: '00:00', to: '00:00' });
    expect(storageErrors(formOf(s3, { window: true, from: '06:00', to: '06:00' }), true)).toHaveProperty('to');
  });
  it('never fills in a secret, and sends one only when it is typed', () => {
    const form = formOf(s3);
    expect([form.keyId, form.secret]).toEqual(['', '']);
    expect(storageUpdate(s3, form)).not.toHaveProperty('secret');
    expect(storageUpdate(s3, formOf(s3, { keyId: ' AK ', secret: ' sk ' }))).toEqual({ key_id: 'AK', secret: 'sk' });
    expect(storageUpdate(s3, formOf(s3, { keyId: 'AK', secret: 'sk', credentials: 'chain' }))).toEqual({ credentials: 'chain' });
  });
  it('sets a folder only where a folder is the destination', () => {
    expect(storageUpdate(s3, formOf(s3, { root: '/mnt/disk', sub: 'x' }))).toEqual({});
    expect(storageUpdate(settings, formOf(settings, { destination: 'folder', root: '/mnt/disk', sub: ' copies/ ' }))).toEqual({ destination: 'folder', folder: '/mnt/disk/copies' });
  });
});

describe('what is wrong with it', () => {
  it('asks for a key until one is kept, and for both parts of it', () => {
    const form = formOf(s3);
    expect(destinationErrors(form, true)).toEqual({});
    expect(destinationErrors(form, false)).toHaveProperty('keyId');
    expect(destinationErrors({ ...form, keyId: 'AK' }, true)).toHaveProperty('secret');
    expect(destinationErrors({ ...form, secret: 'sk' }, true)).toHaveProperty('keyId');
    expect(destinationErrors({ ...form, credentials: 'chain' }, false)).toEqual({});
  });
  it.each(['s3.example.com', 'ftp://a', 'https://a/b', 'https://u:p@a', 'https://a?x=1', 'https://', 'https://ACCOUNT-ID.r2.cloudflarestorage.com'])('refuses the address %s', (endpoint) => {
    expect(destinationErrors(formOf(s3, { endpoint }), true)).toHaveProperty('endpoint');
  });
  it.each(['', 'https://s3.example.com', 'http://127.0.0.1:9000', 'https://[::1]:9000/'])('takes the address "%s"', (endpoint) => {
    expect(destinationErrors(formOf(s3, { endpoint }), true)).not.toHaveProperty('endpoint');
  });
  it('checks names of buckets and prefixes', () => {
    for (const bucket of ['', 'ab', 'Footage', 'a_b', '-ab', 'x'.repeat(64)]) expect(destinationErrors(formOf(s3, { bucket }), true)).toHaveProperty('bucket');
    for (const prefix of ['/a', 'a//b', 'a b', '../a', 'a/./b']) expect(destinationErrors(formOf(s3, { prefix }), true)).toHaveProperty('prefix');
    for (const prefix of ['', 'a', 'home/oriel', 'home/oriel/']) expect(destinationErrors(formOf(s3, { prefix }), true)).not.toHaveProperty('prefix');
  });
  it('looks at a bucket only when one is the destination', () => {
    expect(storageErrors(formOf(settings), false)).toEqual({});
    expect(storageErrors(formOf(settings, { endpoint: 'rubbish' }), false)).toEqual({});
  });
  it('wants a folder inside the approved one', () => {
    const folder = { destination: 'folder' as const, root: '/mnt/disk' };
    expect(destinationErrors(formOf(settings, { ...folder, sub: '' }), false)).toEqual({});
    expect(destinationErrors(formOf(settings, { ...folder, sub: '../etc' }), false)).toHaveProperty('sub');
    expect(destinationErrors(formOf(settings, { ...folder, sub: 'copies' }), false)).toEqual({});
    expect(destinationErrors(formOf(settings, { ...folder, root: '', sub: 'copies' }), false)).toHaveProperty('root');
  });
  it('names the part of the page with the first mistake', () => {
    expect(partOf({})).toBeUndefined();
    expect(partOf(storageErrors(formOf(s3, { atOnce: '17' }), true))).toBe('uploads');
    expect(partOf(storageErrors(formOf(s3, { days: '0' }), true))).toBe('keeping');
    expect(partOf(storageErrors(formOf(s3, { days: 'x', bucket: '' }), true))).toBe('destination');
  });
  it('takes every preset but the one with an account to fill in', () => {
    for (const { id, fields } of PRESETS) {
      const errors = destinationErrors(formOf(s3, fields), true);
      expect(Object.keys(errors), id).toEqual(id === 'r2' ? ['endpoint'] : []);
    }
  });
});

describe('numbers', () => {
  it('reads whole numbers, and empty as none', () => {
    expect(wholeOrNone('', 1, 9)).toBe(0);
    expect(wholeOrNone(' 7 ', 1, 9)).toBe(7);
    for (const bad of ['0', '10', '-1', '1.5', '1e3', 'x']) expect(wholeOrNone(bad, 1, 9), bad).toBeUndefined();
  });
  it('reads thousands with a point or a comma, and gives them back', () => {
    expect(thousandsOrNone('')).toBe(0);
    expect(thousandsOrNone('1,5')).toBe(1500);
    expect(thousandsOrNone('0.001')).toBe(1);
    for (const bad of ['0', '0.0', '.5', '1.2345', '-1', '1e3']) expect(thousandsOrNone(bad), bad).toBeUndefined();
    for (const value of [1, 1500, 20_000]) expect(thousandsOrNone(thousandsText(value))).toBe(value);
    expect(thousandsText(null)).toBe('');
  });
});

describe('folders', () => {
  it('are joined and taken apart again', () => {
    for (const path of ['/data', '/data/a/b', '/mnt/disk/x', 'D:\\oriel\\x']) expect(joined(chosen(path, [...ROOTS, 'D:\\oriel']))).toBe(path);
    expect(chosen('/mnt/disk/x', ['/', '/mnt', '/mnt/disk'])).toEqual({ root: '/mnt/disk', sub: 'x' });
    expect(joined({ root: '/', sub: 'a' })).toBe('/a');
    expect(joined({ root: '/data/', sub: '//a/./b/' })).toBe('/data/a/b');
  });
  it('of none of the approved ones stay what they are', () => {
    expect(chosen('/database/x', ROOTS)).toEqual({ root: '/database/x', sub: '' });
    expect(rootOptions(ROOTS, '/database/x').map((o) => o.value)).toEqual(['/database/x', ...ROOTS]);
    expect(rootOptions(ROOTS, '/data').map((o) => o.value)).toEqual(ROOTS);
    expect(chosen(undefined, [])).toEqual({ root: '', sub: '' });
  });
  it('stay below', () => {
    for (const good of ['', 'a', 'a/..b']) expect(staysBelow(good), good).toBe(true);
    for (const bad of ['..', 'a/../..', '..\\a', 'C:\\x', 'a\u0000b']) expect(staysBelow(bad), bad).toBe(false);
  });
});
