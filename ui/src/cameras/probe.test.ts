import { describe, expect, it } from 'vitest';
import { ApiError } from '../api/error';
import type { ProbeReport, ReasonCode } from '../api/types';
import { texts } from '../lib/texts';
import { probeFacts, probeFailure } from './probe';

const failed = (reason: string, message = 'Said by the recorder.') => new ApiError('camera_unreachable', message, { reason });

describe('probeFailure', () => {
  const asked: ReasonCode[] = ['unreachable', 'timeout', 'auth_refused', 'not_rtsp', 'no_such_stream', 'no_video', 'unsupported_codec'];

  it('has a heading and advice of its own for each reason', () => {
    const words = asked.map((reason) => probeFailure(failed(reason)));
    expect(new Set(words.map((w) => w.title)).size).toBe(asked.length);
    expect(new Set(words.map((w) => w.advice)).size).toBe(asked.length);
    expect(words.every((w) => w.message === 'Said by the recorder.')).toBe(true);
  });
  it('points at the field to look at', () => {
    expect(probeFailure(failed('auth_refused')).field).toBe('username');
    expect(probeFailure(failed('not_rtsp')).field).toBe('url');
    expect(probeFailure(new ApiError('invalid_argument', 'No.')).field).toBe('url');
  });
  it('does not say the same thing twice', () => {
    expect(probeFailure(failed('timeout', texts.reasons.timeout)).message).toBeUndefined();
  });
  it('takes the recorder at its word when the reason is not known', () => {
    expect(probeFailure(failed('gremlins'))).toMatchObject({ message: 'Said by the recorder.', advice: undefined });
    expect(probeFailure(failed('toString')).advice).toBeUndefined();
    expect(probeFailure(new ApiError('unreachable', '')).message).toBe(texts.errors.unreachable);
  });
});

describe('probeFacts', () => {
  const report: ProbeReport = {
    url: 'rtsp://cam/1',
    video: { codec: 'h265', codec_string: 'hvc1.1.6.L120.90', width: 2560, height: 1440, frame_rate: 19.98 },
    audio: { codec: 'pcmu', sample_rate: 8000, channels: 1 },
    kbps: 3180,
    key_interval: 8,
    first_frame_ms: 412,
    engine: 'native',
    warnings: [],
  };
  const value = (r: ProbeReport, label: string) => probeFacts(r).find((fact) => fact.label === label)?.value;

  it('says what was found', () => {
    expect(probeFacts(report).map((fact) => fact.value)).toEqual([
      'H.265',
      '2560 × 1440',
      '20 fps',
      '3.2 Mbit/s',
      'G.711 µ-law, 8 kHz',
      'Every 8.0 s',
      'Native',
    ]);
  });
  it('says what was not', () => {
    const bare: ProbeReport = { ...report, audio: null, key_interval: null, video: { ...report.video, frame_rate: null } };
    expect(value(bare, texts.probe.audio)).toBe(texts.probe.noAudio);
    expect(value(bare, texts.probe.key)).toBe(texts.probe.keyUnknown);
    expect(value(bare, texts.probe.rate)).toBe(texts.common.unknown);
  });
});
