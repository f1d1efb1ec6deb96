import { describe, expect, it } from 'vitest';
import type { Channel, DiskState, Forecast, Storage, StorageSettings, UploadStatus } from '../api/types';
import { reduceStorage } from '../lib/reduce';
import { followedRule, forecastQuery, holdOf, isRuleChanged, ruleErrors, ruleForm, ruleUpdate } from './rules';
import { storageForm } from './form';
import { alarmOf, destinationText, diskBar, diskWords, uploadFacts, uploadLeft, uploadWords } from './status';
import { texts } from './texts';

const disk: DiskState = { level: 'ok', message: '', free: 300, total: 1000, reserve: 50 };
const uploads: UploadStatus = { state: 'idle', waiting: 0, waiting_bytes: 0, bytes_per_second: 0, uploaded: 0, uploaded_bytes: 0 };
const settings: StorageSettings = {
  destination: 's3', region: 'eu-central-1', bucket: 'footage', prefix: 'home', addressing: 'path', credentials: 'keys',
  has_keys: true, direct: false, uploads_at_once: 2, delete_unuploaded: false,
};
const NOW = Date.parse('2026-11-21T12:00:00Z');

describe('the disk', () => {
  it('has a sentence and a colour on every step of the ladder', () => {
    const tones = (['ok', 'low', 'deleting', 'stopped', 'missing', 'read_only'] as const).map((level) => diskWords({ ...disk, level }));
    expect(tones.map((w) => w.tone)).toEqual(['ok', 'warn', 'warn', 'bad', 'bad', 'bad']);
    for (const words of tones) expect(words.text).not.toBe('');
    expect(diskWords({ ...disk, level: 'low', message: 'Nearly full.' }).text).toBe('Nearly full.');
  });
  it('shows the free part of its reserve', () => {
    expect(diskBar(disk)).toMatchObject({ used: 0.7, reserve: 0.05, usedBytes: 700 });
    expect(diskBar({ ...disk, free: 20 })).toMatchObject({ used: 0.98, reserve: 0.02 });
    expect(diskBar({ level: 'missing', message: '', reserve: 0 })).toBeUndefined();
  });
});

describe('uploads', () => {
  it('say when everything will be there, only while something moves', () => {
    const moving: UploadStatus = { ...uploads, state: 'uploading', waiting: 3, waiting_bytes: 90_000_000, bytes_per_second: 1_000_000 };
    expect(uploadLeft(moving)).toBe(90_000);
    expect(uploadFacts(moving, NOW).map((f) => f.value)).toEqual(['3 · 90 MB', '1 MB/s', 'about 1 min 30 s', texts.queue.nothing]);
    expect(uploadLeft({ ...moving, bytes_per_second: 0 })).toBeUndefined();
    expect(uploadLeft({ ...moving, state: 'retrying' })).toBeUndefined();
  });
  it("say the recorder's own sentence, and when they try again", () => {
    const words = uploadWords({ ...uploads, state: 'retrying', error: 'Refused.', retry_at: '2026-11-21T12:00:12Z' }, NOW, true);
    expect(words).toEqual({ tone: 'warn', title: 'Trying again', text: 'Refused. Trying again in 12 s.' });
    expect(uploadWords({ ...uploads, state: 'stopped' }, NOW, true).tone).toBe('bad');
    expect(uploadWords({ ...uploads, state: 'off' }, NOW, true).title).toBe('Starting');
    expect(uploadWords({ ...uploads, state: 'off' }, NOW, false).title).toBe('Off');
  });
  it('name their destination without a secret', () => {
    expect(destinationText(settings)).toBe('footage/home · AWS eu-central-1');
    expect(destinationText({ ...settings, prefix: '', endpoint: 'https://s3.example.com:9000' })).toBe('footage · s3.example.com:9000');
    expect(destinationText({ ...settings, destination: 'folder', folder: '/mnt/x' })).toBe('/mnt/x');
    expect(destinationText({ ...settings, destination: 'none' })).toBeUndefined();
  });
});

describe('what is shown on every page', () => {
  it('is nothing while footage is recorded and uploaded, or soon will be', () => {
    for (const level of ['ok', 'low', 'deleting'] as const) expect(alarmOf({ ...disk, level }, uploads)).toBeUndefined();
    for (const state of ['off', 'idle', 'uploading', 'outside_window', 'retrying'] as const) expect(alarmOf(disk, { ...uploads, state })).toBeUndefined();
    expect(alarmOf(undefined, undefined)).toBeUndefined();
  });
  it('is the disk first, then the uploads', () => {
    const stopped: UploadStatus = { ...uploads, state: 'stopped', error: 'No such bucket.' };
    for (const level of ['stopped', 'missing', 'read_only'] as const) expect(alarmOf({ ...disk, level }, stopped)?.title).toBe(texts.alarm.disk[level]);
    expect(alarmOf(disk, stopped)).toEqual({ title: texts.alarm.uploads, text: 'No such bucket.' });
  });
});

it('storage follows the stream of changes', () => {
  const storage: Storage = { settings, disk, uploads, notices: { on: false, received: 0, ignored: 0 }, places: [], approved_roots: [] };
  const full: DiskState = { ...disk, level: 'stopped' };
  expect(reduceStorage(storage, { type: 'disk', disk: full }).disk).toBe(full);
  expect(reduceStorage(storage, { type: 'uploads', uploads: { ...uploads, waiting: 4 } }).uploads.waiting).toBe(4);
  expect(reduceStorage(storage, { type: 'camera_removed', id: 'x' })).toBe(storage);
});

describe('rules of cameras', () => {
  const channel: Channel = {
    id: 'ch1', name: 'Porch', record_mode: 'continuous', engine: 'auto', audio: 'auto', upload: 'all', quota_mb: 1500, recording: { active: true, lost_frames: 0 },
  };
  it('send only what differs', () => {
    const rule = ruleForm(channel);
    expect(rule).toEqual({ days: '', quota: '1.5', upload: 'all' });
    expect(ruleUpdate(channel, rule)).toBeUndefined();
    expect(isRuleChanged(channel, rule)).toBe(false);
    expect(ruleUpdate(channel, { days: '7', quota: '', upload: 'events' })).toEqual({ id: 'ch1', retention_days: 7, quota_mb: 0, upload: 'events' });
  });
  it('follow what is set elsewhere, until somebody types here', () => {
    const elsewhere: Channel = { ...channel, retention_days: 3 };
    expect(followedRule(undefined, undefined, elsewhere).days).toBe('3');
    expect(followedRule(ruleForm(channel), channel, elsewhere).days).toBe('3');
    const typed = { ...ruleForm(channel), quota: '9' };
    expect(followedRule(typed, channel, elsewhere)).toEqual({ ...typed, days: '3' });
  });
  it('have to be numbers', () => {
    expect(ruleErrors({ days: '', quota: '', upload: 'all' })).toEqual({});
    expect(Object.keys(ruleErrors({ days: '4000', quota: '-1', upload: 'all' }))).toEqual(['days', 'quota']);
  });
  it('are thought about as typed; what is not valid, as it is set', () => {
    const form = { ...storageForm(settings, []), days: '14', reserve: 'x' };
    expect(forecastQuery(form, { ch1: { days: '', quota: 'x', upload: 'all' } })).toEqual({
      retention_days: 14,
      reserve_mb: null,
      channels: [{ channel_id: 'ch1', retention_days: 0, quota_mb: null }],
    });
  });
  it('name what ends the footage that is held shortest', () => {
    const forecast: Forecast = {
      days: 2.5,
      channels: [
        { channel_id: 'a', bytes: 1, days: 9, limit: 'age' },
        { channel_id: 'b', bytes: 1, days: 2.5, limit: 'quota' },
        { channel_id: 'c', bytes: 1 },
      ],
    };
    expect(holdOf(forecast)).toEqual({ days: 2.5, limit: 'quota', channel: 'b' });
    expect(holdOf({ days: 9, channels: [forecast.channels[0]!] })).toEqual({ days: 9, limit: 'age', channel: undefined });
    expect(holdOf({ channels: [] })).toBeUndefined();
  });
});
