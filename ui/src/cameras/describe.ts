// A camera's state in words and colours.

import type { Camera, Channel } from '../api/types';
import type { Tone } from '../kit';
import { texts } from '../lib/texts';
import { duration, ms } from '../lib/time';
import { bitrate, codecName, frameRate, frameSize } from '../lib/units';
import { audioText } from './probe';

export interface StateWords {
  tone: Tone;
  /** Something is under way. */
  busy: boolean;
  title: string;
  /** Since when, why, or when again. */
  detail: string;
}

const TONES: Readonly<Record<Camera['state'], Tone>> = {
  idle: 'neutral',
  connecting: 'accent',
  streaming: 'ok',
  waiting: 'warn',
  failed: 'bad',
};

/** Whole seconds until the next attempt; undefined when none is planned. */
export function retrySeconds(camera: Camera, now: number): number | undefined {
  const at = ms(camera.retry_at);
  return at === undefined ? undefined : Math.max(0, Math.ceil((at - now) / 1000));
}

/** State, and what stands beside it. */
export function stateWords(camera: Camera, now: number): StateWords {
  const t = texts.cameras;
  const tone = TONES[camera.state];
  const busy = camera.state === 'connecting';
  const title = texts.states[camera.state];
  if (camera.state === 'waiting' || camera.state === 'failed') {
    const retry = retrySeconds(camera, now);
    const reason = camera.reason == null ? undefined : texts.reasons[camera.reason.code];
    return { tone, busy, title: reason ?? title, detail: retry === undefined ? '' : t.retryIn(retry) };
  }
  const since = ms(camera.since);
  const detail = camera.state === 'streaming' && since !== undefined ? t.since(duration(Math.max(1000, now - since))) : '';
  return { tone, busy, title, detail };
}

export interface VideoWords {
  /** `H.264 · 1920 × 1080`. */
  format: string;
  /** `15 fps · 2.1 Mbit/s`. */
  flow: string;
  audio: string;
}

/** The main stream in words; undefined before anything was seen of it. */
export function videoWords(camera: Camera): VideoWords | undefined {
  const main = camera.profiles.find((profile) => profile.quality === 'high');
  const video = main?.video;
  if (video == null) return undefined;
  const stats = camera.state === 'streaming' ? camera.stats : undefined;
  const rate = stats?.frame_rate ?? video.frame_rate;
  const flow = [rate == null ? undefined : frameRate(rate), stats == null ? undefined : bitrate(stats.kbps)];
  return {
    format: `${codecName(video.codec)} · ${frameSize(video.width, video.height)}`,
    flow: flow.filter((part) => part !== undefined).join(' · '),
    audio: main?.audio == null ? texts.probe.noAudio : audioText(main.audio.codec, main.audio.sample_rate),
  };
}

export interface RecordingWords {
  tone: Tone;
  text: string;
  active: boolean;
}

/** Whether footage reaches the disk, in words. */
export function recordingWords(camera: Camera, channel: Channel | undefined): RecordingWords {
  const t = texts.cameras;
  if (channel === undefined || channel.record_mode === 'off') return { tone: 'neutral', text: t.recordingOff, active: false };
  if (channel.recording.error != null) return { tone: 'bad', text: t.recordingFailed, active: false };
  if (channel.recording.active) return { tone: 'ok', text: t.recording, active: true };
  // While it connects there is nothing to worry about yet.
  return { tone: camera.state === 'connecting' ? 'neutral' : 'warn', text: t.notRecording, active: false };
}
