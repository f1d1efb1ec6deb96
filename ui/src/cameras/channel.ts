// The recording settings of a channel: what is chosen and what of it is sent.

import type { Input } from '../api/call';
import type { AudioMode, Channel, Engine } from '../api/types';

export interface ChannelForm {
  record: boolean;
  /** Whether it has its own segment length. */
  own: boolean;
  /** Seconds, as typed. */
  seconds: string;
  engine: Engine;
  audio: AudioMode;
}

export function channelForm(channel: Channel, usual: number): ChannelForm {
  return {
    record: channel.record_mode === 'continuous',
    own: channel.segment_seconds != null,
    seconds: String(channel.segment_seconds ?? usual),
    engine: channel.engine,
    audio: channel.audio,
  };
}

/** A whole number in a range, or undefined. */
export function wholeNumber(text: string, from: number, to: number): number | undefined {
  const trimmed = text.trim();
  if (!/^\d{1,6}$/.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return value >= from && value <= to ? value : undefined;
}

/** What is sent: only what differs; undefined when the length is not valid. */
export function channelUpdate(channel: Channel, form: ChannelForm): Input<'channel_update'> | undefined {
  const input: Input<'channel_update'> = { id: channel.id };
  const mode = form.record ? 'continuous' : 'off';
  if (mode !== channel.record_mode) input.record_mode = mode;
  if (form.engine !== channel.engine) input.engine = form.engine;
  if (form.audio !== channel.audio) input.audio = form.audio;
  if (form.own) {
    const seconds = wholeNumber(form.seconds, 5, 600);
    if (seconds === undefined) return undefined;
    if (seconds !== channel.segment_seconds) input.segment_seconds = seconds;
  } else if (channel.segment_seconds != null) {
    input.segment_seconds = 0;
  }
  return input;
}
