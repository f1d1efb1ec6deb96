// What is shown of a clip or an export. Pure.

import type { Clip, ClipStatus, Export, ExportPart, ExportStatus, Gap } from '../api/types';
import type { Tone } from '../kit';
import { texts as common } from '../lib/texts';
import { clockTime, duration, ms } from '../lib/time';
import { texts } from './texts';

export const CLIP_TONES: Readonly<Record<ClipStatus, Tone>> = { in_progress: 'accent', finished: 'ok', partial: 'warn', failed: 'bad' };

export const EXPORT_TONES: Readonly<Record<ExportStatus, Tone>> = {
  queued: 'neutral', running: 'accent', finished: 'ok', partial: 'warn', failed: 'bad', cancelled: 'neutral',
};

export interface Times {
  start: number;
  end: number;
}

/** From when to when a clip goes: what its file holds once it is made, what was asked for before. */
export function clipTimes(clip: Clip): Times {
  return {
    start: ms(clip.media_start) ?? ms(clip.time_start) ?? 0,
    end: ms(clip.media_end) ?? ms(clip.time_end) ?? 0,
  };
}

/** Whether a clip waits for footage that is still to come. */
export function isRecording(clip: Clip, now: number): boolean {
  return clip.status === 'in_progress' && (ms(clip.time_end) ?? 0) > now;
}

/** What a clip that is being made does at this moment. */
export function clipDoing(clip: Clip, now: number): string {
  if (isRecording(clip, now)) return texts.clips.recordingUntil(clockTime(ms(clip.time_end) ?? 0));
  return clip.reason ?? texts.clips.making;
}

/** `14:03:10 – 14:03:40 · 30 s · Connection lost`. */
export function gapLine(gap: Gap): string {
  const [start, end] = [ms(gap.start) ?? 0, ms(gap.end) ?? 0];
  const why = gap.reason ? common.reasons[gap.reason.code] : texts.unknownReason;
  return `${clockTime(start)} – ${clockTime(end)} · ${duration(end - start)} · ${why}`;
}

/** `2 gaps, 30 s in all`; empty without gaps. */
export function gapSummary(gaps: readonly Gap[]): string {
  if (gaps.length === 0) return '';
  const total = gaps.reduce((sum, gap) => sum + (ms(gap.end) ?? 0) - (ms(gap.start) ?? 0), 0);
  return texts.gapsTotal(gaps.length, duration(total));
}

export function isUnderWay(status: ExportStatus): boolean {
  return status === 'queued' || status === 'running';
}

/** Whether trying again can make more of it than there is. */
export function mayRetry(job: Export): boolean {
  return job.status === 'failed' || job.status === 'partial' || job.status === 'cancelled';
}

/** What the badge of a part says: one with holes was made, one without a file was not. */
export function partWord(part: ExportPart): string {
  return part.status === 'partial' && part.gaps.length > 0 ? texts.exports.partial : texts.exports.status[part.status];
}

/** A link as other people open it. */
export function absoluteLink(url: string, base: string): string {
  return new URL(url, base).href;
}

/** Whether an address leads only to the computer it is opened on. */
export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
