import { describe, expect, it } from 'vitest';
import type { Camera, Channel } from '../api/types';
import { channelForm, channelUpdate } from './channel';
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
