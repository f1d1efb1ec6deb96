// What a test of a camera says to a person.

import type { ApiError } from '../api/error';
import type { ProbeReport, ReasonCode } from '../api/types';
import { errorText, texts } from '../lib/texts';
import { bitrate, codecName, frameRate, frameSize } from '../lib/units';

/** A test that did not work: what, why, what to do, and which field to look at. */
export interface ProbeFailure {
  title: string;
  /** The recorder's own words, when they say more. */
  message: string | undefined;
  advice: string | undefined;
  field: 'url' | 'username' | undefined;
}

const FIELDS: Partial<Record<ReasonCode, 'url' | 'username'>> = {
  unreachable: 'url',
  timeout: 'url',
  not_rtsp: 'url',
  no_such_stream: 'url',
  no_video: 'url',
  auth_refused: 'username',
};

function known(reason: string | undefined): reason is ReasonCode {
  return reason !== undefined && Object.hasOwn(texts.reasons, reason);
}

/** A failed test in words. */
export function probeFailure(error: ApiError): ProbeFailure {
  const reason = error.reason;
  if (!known(reason)) {
    return {
      title: texts.common.failed,
      message: errorText(error),
      advice: undefined,
      field: error.code === 'invalid_argument' ? 'url' : undefined,
    };
  }
  return {
    title: texts.reasons[reason],
    message: error.message === '' || error.message === texts.reasons[reason] ? undefined : error.message,
    advice: texts.advice[reason],
    field: FIELDS[reason],
  };
}

export interface Fact {
  label: string;
  value: string;
}

/** `0.3 s`. */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** What was found, in the order people ask. */
export function probeFacts(report: ProbeReport): Fact[] {
  const t = texts.probe;
  const { video, audio } = report;
  const facts: Fact[] = [
    { label: t.video, value: codecName(video.codec) },
    { label: t.size, value: frameSize(video.width, video.height) },
    { label: t.rate, value: video.frame_rate == null ? texts.common.unknown : frameRate(video.frame_rate) },
    { label: t.bitrate, value: bitrate(report.kbps) },
    { label: t.audio, value: audio == null ? t.noAudio : audioText(audio.codec, audio.sample_rate) },
    { label: t.key, value: report.key_interval == null ? t.keyUnknown : t.keyEvery(report.key_interval.toFixed(1)) },
    { label: t.engine, value: texts.engines[report.engine] },
  ];
  if (report.server != null && report.server !== '') facts.push({ label: t.device, value: report.server });
  return facts;
}

/** `AAC, 48 kHz`. */
export function audioText(codec: string, sampleRate: number): string {
  return `${codecName(codec)}, ${Number((sampleRate / 1000).toFixed(1))} kHz`;
}
