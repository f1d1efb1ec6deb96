// What a tile says: one state for the dot, one message over the picture, reasons for a fallback.

import type { Camera } from '../api/types';
import type { Tone } from '../kit';
import { hears } from './abilities';
import type { LiveState } from './machine';
import { codecName, type Fallback, type Plan, type Profile } from './plan';
import { texts } from './texts';

/** A picture older than this is shown as old. */
export const OLD_PICTURE_MS = 5_000;

export type TileState = 'playing' | 'connecting' | 'waiting' | 'failed' | 'paused' | 'gone';

export interface TileStatus {
  state: TileState;
  tone: Tone;
  /** Said over the picture; null while it plays. */
  title: string | null;
  detail: string | null;
  /** When the next attempt starts; milliseconds. */
  retryAt: number | null;
  busy: boolean;
}

type Seen = Pick<LiveState, 'phase' | 'trouble' | 'retryAt' | 'pictureAt'>;

/** The camera knows better than the player why there is no picture. */
export function tileStatus(camera: Camera | undefined, reason: string | null, view: Seen, now: number): TileStatus {
  const none = { title: null, detail: null, retryAt: null, busy: false };
  if (view.phase === 'gone' || !camera) {
    return { ...none, state: 'gone', tone: 'neutral', title: texts.gone };
  }
  if (view.phase === 'stopped') return { ...none, state: 'paused', tone: 'neutral', title: texts.paused };
  const fresh = view.pictureAt !== null && now - view.pictureAt <= OLD_PICTURE_MS;
  if (view.phase === 'playing' && fresh) return { ...none, state: 'playing', tone: 'ok' };
  switch (camera.state) {
    case 'failed':
      return { ...none, state: 'failed', tone: 'bad', title: reason, detail: camera.reason?.message ?? null, retryAt: at(camera.retry_at) };
    case 'waiting':
      return { ...none, state: 'waiting', tone: 'warn', title: reason ?? texts.lost, detail: null, retryAt: at(camera.retry_at) };
    case 'connecting':
      if (view.phase === 'playing') break;
      return { ...none, state: 'connecting', tone: 'accent', title: texts.connecting, busy: true };
    case 'idle':
    case 'streaming':
      break;
  }
  // It has not been given up yet, but nobody should take it for fine.
  if (view.phase === 'playing') return { ...none, state: 'playing', tone: 'warn' };
  if (view.phase === 'retrying') {
    const title = view.trouble === 'silent' ? texts.silent : view.trouble === 'refused' ? texts.refused : texts.lost;
    return { ...none, state: 'waiting', tone: 'warn', title, retryAt: view.retryAt };
  }
  return { ...none, state: 'connecting', tone: 'accent', title: texts.starting, busy: true };
}

function at(time: string | null | undefined): number | null {
  const value = time ? Date.parse(time) : Number.NaN;
  return Number.isNaN(value) ? null : value;
}

/** Whole seconds until a moment, 0 when it has come. */
export function secondsUntil(moment: number, now: number): number {
  return Math.max(0, Math.ceil((moment - now) / 1000));
}

export function whyOf(fallback: Fallback, plan: Plan): string {
  const why = texts.why;
  switch (fallback.kind) {
    case 'for_audio':
      return why.forAudio;
    case 'no_webcodecs':
      return why.noWebcodecs;
    case 'b_frames':
      return why.bFrames;
    case 'failed':
      return why.failed(texts.transports[fallback.transport]);
    case 'codec':
      return plan.transport === 'jpeg'
        ? why.codecPictures(codecName(fallback.codec))
        : why.codecOther(codecName(fallback.codec), texts.qualities[plan.quality]);
    case 'served_other':
      return why.servedOther(texts.qualities[fallback.quality]);
  }
}

/** Whether a fallback is worth a permanent sign on the tile. Sound was asked for and is not. */
export function isNotable(fallback: Fallback): boolean {
  return fallback.kind !== 'for_audio';
}

export function profilesOf(camera: Camera): Profile[] {
  return camera.profiles.map((p) => ({
    quality: p.quality,
    codec: p.video?.codec_string ?? null,
    // What nobody has seen yet may well have sound; asking costs nothing.
    hasAudio: p.video ? typeof p.audio?.codec_string === 'string' && hears(p.audio.codec_string) : true,
  }));
}

export function hasSound(camera: Camera): boolean {
  return profilesOf(camera).some((p) => p.hasAudio);
}
