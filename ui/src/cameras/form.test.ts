import { describe, expect, it } from 'vitest';
import type { Camera, Channel } from '../api/types';
import { channelErrors, channelForm, channelUpdate } from './channel';
import { recordingWords, stateWords, videoWords } from './describe';
import { createInput, formErrors, formOf, probeInput, updateInput } from './form';

const camera: Camera = {
  id: 'cam1',
  name: 'Front door',
  channel_id: 'ch1',
  url: 'rtsp://10.0.0.5/1',
  username: 'viewer',
  has_password: true,
  state: 'streaming',
  profiles: [
    { quality: 'high', url: 'rtsp://10.0.0.5/1' },
    { quality: 'low', url: 'rtsp://10.0.0.5/2' },
  ],
  warnings: [],
};
const channel: Channel = {
  id: 'ch1',
  camera_id: 'cam1',
  name: 'Front door',
  record_mode: 'continuous',
  engine: 'auto',
  audio: 'auto',
  upload: 'all',
  recording: { active: true, lost_frames: 0 },
};

describe('the form of a camera', () => {
  it('sends only what was given', () => {
    const form = { ...formOf(), name: ' Door ', url: ' rtsp://cam/1 ', password: ' p@ss ' };
    expect(createInput(form)).toEqual({ name: 'Door', url: 'rtsp://cam/1', password: ' p@ss ' });
  });
  it('sends only what differs', () => {
    expect(updateInput(camera, formOf(camera))).toEqual({ id: 'cam1' });
    expect(updateInput(camera, { ...formOf(camera), username: '', lowUrl: '' })).toEqual({ id: 'cam1', username: '', low_url: '' });
  });
  it('tests with the kept password only for the kept user', () => {
    expect(probeInput(formOf(camera), camera)).toEqual({ url: camera.url, id: 'cam1' });
    expect(probeInput({ ...formOf(camera), username: 'other' }, camera)).toEqual({ url: camera.url, username: 'other' });
    expect(probeInput({ ...formOf(camera), password: 'new' }, camera)).toEqual({ url: camera.url, username: 'viewer', password: 'new' });
  });
  it('says what is missing or wrong', () => {
    expect(Object.keys(formErrors(formOf())).sort()).toEqual(['name', 'url']);
    expect(formErrors({ ...formOf(camera), name: 'x'.repeat(81) }).name).toBeDefined();
    expect(formErrors({ ...formOf(camera), lowUrl: 'nonsense' }).lowUrl).toBeDefined();
    expect(formErrors(formOf(camera))).toEqual({});
  });
});

describe('the settings of a channel', () => {
  it('sends only what differs', () => {
    expect(channelUpdate(channel, channelForm(channel, 30))).toEqual({ id: 'ch1' });
    expect(channelUpdate(channel, { ...channelForm(channel, 30), record: false, engine: 'native' })).toEqual({
      id: 'ch1',
      record_mode: 'off',
      engine: 'native',
    });
  });
  it('goes back to the usual length with 0', () => {
    const own = { ...channel, segment_seconds: 60 };
    expect(channelUpdate(own, { ...channelForm(own, 30), own: false })).toEqual({ id: 'ch1', segment_seconds: 0 });
  });
  it.each(['', '4', '601', '5.5', '1e2', '-5', 'x'])('does not send %j as a length', (seconds) => {
    expect(channelUpdate(channel, { ...channelForm(channel, 30), own: true, seconds })).toBeUndefined();
  });
});

describe('the state of a camera', () => {
  it('counts down to the next attempt', () => {
    const lost: Camera = { ...camera, state: 'waiting', reason: { code: 'stalled', message: 'x' }, retry_at: '2026-11-21T08:00:10Z' };
    const at = Date.parse('2026-11-21T08:00:00.500Z');
    expect(stateWords(lost, at)).toMatchObject({ tone: 'warn', title: 'No picture', detail: 'Trying again in 10 s' });
    expect(stateWords(lost, at + 60_000).detail).toBe('Trying again now');
  });
  it('shows measured numbers only while streaming', () => {
    const video = { codec: 'h264', codec_string: 'avc1', width: 1920, height: 1080, frame_rate: 15 };
    const seen: Camera = {
      ...camera,
      profiles: [{ quality: 'high', url: camera.url, video }],
      stats: { frame_rate: 12.5, kbps: 2000, reconnects: 0, dropped: 0 },
    };
    expect(videoWords(seen)?.flow).toBe('12.5 fps · 2.0 Mbit/s');
    expect(videoWords({ ...seen, state: 'waiting' })?.flow).toBe('15 fps');
    expect(videoWords(camera)).toBeUndefined();
  });
  it('never calls footage recorded that does not reach the disk', () => {
    expect(recordingWords(camera, channel)).toMatchObject({ active: true, tone: 'ok' });
    const torn = { ...channel, recording: { active: true, lost_frames: 0, error: 'full' } };
    expect(recordingWords(camera, torn)).toMatchObject({ active: false, tone: 'bad' });
    expect(recordingWords(camera, { ...channel, recording: { active: false, lost_frames: 0 } })).toMatchObject({ active: false, tone: 'warn' });
    expect(recordingWords(camera, undefined).active).toBe(false);
  });
});

describe('what is kept of a channel', () => {
  const kept: Channel = { ...channel, segment_mb: 64, retention_days: 7, quota_mb: 2500, upload: 'events' };
  it('is not sent while it does not differ', () => {
    const form = channelForm(kept, 30);
    expect(form).toMatchObject({ largest: '64', days: '7', quota: '2.5', upload: 'events' });
    expect(channelUpdate(kept, form)).toEqual({ id: 'ch1' });
  });
  it('is taken away by empty fields', () => {
    const form = { ...channelForm(kept, 30), largest: '', days: ' ', quota: '', upload: 'all' as const };
    expect(channelUpdate(kept, form)).toEqual({ id: 'ch1', segment_mb: 0, retention_days: 0, quota_mb: 0, upload: 'all' });
  });
  it('is not sent while something is wrong with it', () => {
    const form = { ...channelForm(kept, 30), largest: '5000', days: '0', quota: '-1', own: true, seconds: '4' };
    expect(Object.keys(channelErrors(form)).sort()).toEqual(['days', 'largest', 'quota', 'seconds']);
    expect(channelUpdate(kept, form)).toBeUndefined();
  });
  it('may have its audio in every way', () => {
    for (const audio of ['aac', 'opus', 'mp3', 'copy', 'off'] as const) expect(channelUpdate(channel, { ...channelForm(channel, 30), audio })).toEqual({ id: 'ch1', audio });
  });
});

describe('the snapshot address of a camera', () => {
  const withPicture: Camera = { ...camera, snapshot_url: 'http://10.0.0.5/snap.jpg' };
  it('is sent when it differs, and taken away by empty text', () => {
    expect(updateInput(withPicture, formOf(withPicture))).toEqual({ id: 'cam1' });
    expect(updateInput(withPicture, { ...formOf(withPicture), snapshotUrl: '' })).toEqual({ id: 'cam1', snapshot_url: '' });
    expect(createInput({ ...formOf(), name: 'A', url: 'rtsp://a/1', snapshotUrl: ' https://a/s.jpg ' })).toEqual({ name: 'A', url: 'rtsp://a/1', snapshot_url: 'https://a/s.jpg' });
  });
  it('is one of the web', () => {
    for (const snapshotUrl of ['rtsp://a/1', 'a/s.jpg', 'http://']) expect(formErrors({ ...formOf(camera), snapshotUrl }), snapshotUrl).toHaveProperty('snapshotUrl');
    expect(formErrors({ ...formOf(camera), snapshotUrl: 'http://10.0.0.5/snap.jpg' })).toEqual({});
  });
});
