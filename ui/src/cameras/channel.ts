// The recording settings of a channel: what is chosen and what of it is sent.

import type { Input } from '../api/call';
import type { AudioMode, Channel, Engine, UploadPolicy } from '../api/types';
import { numberText, thousandsOrNone, thousandsText, wholeNumber, wholeOrNone } from '../lib/numbers';
import { texts } from '../lib/texts';

export interface ChannelForm {
  record: boolean;
  /** Whether it has its own segment length. */
  own: boolean;
  /** Seconds, as typed. */
  seconds: string;
  engine: Engine;
  audio: AudioMode;
  /** Largest segment in MB, as typed; empty is no limit. */
  largest: string;
  upload: UploadPolicy;
  /** Days, as typed; empty is the recorder's rule. */
  days: string;
  /** GB, as typed; empty is no limit. */
  quota: string;
}

export type ChannelErrors = Partial<Record<'seconds' | 'largest' | 'days' | 'quota', string>>;

export function channelForm(channel: Channel, usual: number): ChannelForm {
  return {
    record: channel.record_mode === 'continuous',
    own: channel.segment_seconds != null,
    seconds: String(channel.segment_seconds ?? usual),
    engine: channel.engine,
    audio: channel.audio,
    largest: numberText(channel.segment_mb),
    upload: channel.upload,
    days: numberText(channel.retention_days),
    quota: thousandsText(channel.quota_mb),
  };
}

/** What has to be mended before it can be saved. */
export function channelErrors(form: ChannelForm): ChannelErrors {
  const t = texts.cameras;
  const errors: ChannelErrors = {};
  if (form.own && wholeNumber(form.seconds, 5, 600) === undefined) errors.seconds = t.segmentRange;
  if (wholeOrNone(form.largest, 1, 4096) === undefined) errors.largest = t.largestRange;
  if (wholeOrNone(form.days, 1, 3650) === undefined) errors.days = t.daysRange;
  if (thousandsOrNone(form.quota) === undefined) errors.quota = t.quotaRange;
  return errors;
}

/** What is sent: only what differs; undefined when something is not valid. */
export function channelUpdate(channel: Channel, form: ChannelForm): Input<'channel_update'> | undefined {
  if (Object.keys(channelErrors(form)).length > 0) return undefined;
  const input: Input<'channel_update'> = { id: channel.id };
  const mode = form.record ? 'continuous' : 'off';
  if (mode !== channel.record_mode) input.record_mode = mode;
  if (form.engine !== channel.engine) input.engine = form.engine;
  if (form.audio !== channel.audio) input.audio = form.audio;
  if (form.upload !== channel.upload) input.upload = form.upload;
  const seconds = form.own ? wholeNumber(form.seconds, 5, 600) : 0;
  if (seconds !== undefined && seconds !== (channel.segment_seconds ?? 0)) input.segment_seconds = seconds;
  const largest = wholeOrNone(form.largest, 1, 4096);
  if (largest !== undefined && largest !== (channel.segment_mb ?? 0)) input.segment_mb = largest;
  const days = wholeOrNone(form.days, 1, 3650);
  if (days !== undefined && days !== (channel.retention_days ?? 0)) input.retention_days = days;
  const quota = thousandsOrNone(form.quota);
  if (quota !== undefined && quota !== (channel.quota_mb ?? 0)) input.quota_mb = quota;
  return input;
}
