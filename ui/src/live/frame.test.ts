import { describe, expect, it } from 'vitest';
import { HEADER_BYTES, parseFrame, parseMessage } from './frame';

function message(kind: number, flags: number, duration: number, time: bigint, capture: bigint, payload: number[]): ArrayBuffer {
  const buffer = new ArrayBuffer(HEADER_BYTES + payload.length);
  const view = new DataView(buffer);
  view.setUint8(0, kind);
  view.setUint8(1, flags);
  view.setUint32(4, duration);
  view.setBigInt64(8, time);
  view.setBigInt64(16, capture);
  new Uint8Array(buffer, HEADER_BYTES).set(payload);
  return buffer;
}

describe('parseFrame', () => {
  it('reads every field of the header', () => {
    const frame = parseFrame(message(1, 1, 6000, 8_100_000_000n, 1_790_000_000_123n, [9, 8, 7]));
    expect(frame).toMatchObject({
      kind: 'video',
      key: true,
      filler: false,
      duration: 6000,
      time: 8_100_000_000,
      captureMs: 1_790_000_000_123,
    });
    expect([...(frame?.payload ?? [])]).toEqual([9, 8, 7]);
  });

  it('tells init, audio and filler apart', () => {
    expect(parseFrame(message(0, 0, 0, 0n, 0n, []))?.kind).toBe('init');
    expect(parseFrame(message(2, 3, 1024, 5n, 0n, []))).toMatchObject({ kind: 'audio', key: true, filler: true });
  });

  it('refuses what is not a frame', () => {
    expect(parseFrame(new ArrayBuffer(HEADER_BYTES - 1))).toBeNull();
    expect(parseFrame(message(3, 0, 0, 0n, 0n, []))).toBeNull();
    expect(parseFrame(message(1, 0, 0, 1n << 60n, 0n, []))).toBeNull();
    expect(parseFrame(new ArrayBuffer(HEADER_BYTES + 16 * 1024 * 1024 + 1))).toBeNull();
  });
});

describe('parseMessage', () => {
  const start = {
    type: 'start',
    quality: 'low',
    video_codec: 'avc1.64001f',
    video_config: btoa('\u0001\u0064'),
    width: 640,
    height: 360,
    video_timescale: 90000,
  };

  it('reads a start with and without audio', () => {
    expect(parseMessage(JSON.stringify(start))).toMatchObject({
      quality: 'low',
      videoConfig: new Uint8Array([1, 0x64]),
      audioCodec: null,
      audioTimescale: null,
    });
    const withAudio = { ...start, audio_codec: 'mp4a.40.2', audio_timescale: 16000 };
    expect(parseMessage(JSON.stringify(withAudio))).toMatchObject({ audioCodec: 'mp4a.40.2', audioTimescale: 16000 });
  });

  it('reads waiting and skipped', () => {
    expect(parseMessage('{"type":"waiting"}')).toEqual({ type: 'waiting' });
    expect(parseMessage('{"type":"skipped","frames":7}')).toEqual({ type: 'skipped', frames: 7 });
  });

  it('refuses what it does not know', () => {
    for (const text of ['', 'null', '[]', '{"type":"other"}', JSON.stringify({ ...start, quality: 'mid' }),
      JSON.stringify({ ...start, video_config: '***' }), JSON.stringify({ ...start, video_timescale: 0 })]) {
      expect(parseMessage(text), text).toBeNull();
    }
  });
});
