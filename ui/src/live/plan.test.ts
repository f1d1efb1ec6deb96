import { describe, expect, it } from 'vitest';
import { choosePlan, codecName, wantedQuality, type Abilities, type Profile, type Transport, type Wish } from './plan';

const H264 = 'avc1.64001f';
const H265 = 'hvc1.1.6.L93.B0';
const both: Profile[] = [
  { quality: 'high', codec: H264, hasAudio: true },
  { quality: 'low', codec: H264, hasAudio: false },
];
const able: Abilities = { webcodecsPresent: true, webcodecs: new Map(), mse: new Map() };
const noH265: Abilities = {
  webcodecsPresent: true,
  webcodecs: new Map([[H265, false]]),
  mse: new Map([[H265, false]]),
};
const small: Wish = { tileWidth: 400, large: false, audio: false };
const none = new Set<Transport>();

describe('wantedQuality', () => {
  it('takes the smaller encoding for small tiles only', () => {
    expect(wantedQuality(both, small)).toBe('low');
    expect(wantedQuality(both, { ...small, tileWidth: 720 })).toBe('high');
    expect(wantedQuality(both, { ...small, large: true })).toBe('high');
  });
  it('takes what there is', () => {
    expect(wantedQuality(both.slice(0, 1), small)).toBe('high');
    expect(wantedQuality(both.slice(1), { ...small, large: true })).toBe('low');
    expect(wantedQuality([], small)).toBe('high');
  });
});

describe('choosePlan', () => {
  it('prefers WebCodecs and says nothing then', () => {
    expect(choosePlan(both, small, able, none, false)).toEqual({
      quality: 'low', transport: 'webcodecs', audio: false, fallbacks: [],
    });
  });

  it('takes MSE for audio, where the encoding has any', () => {
    const wish = { ...small, large: true, audio: true };
    expect(choosePlan(both, wish, able, none, false)).toMatchObject({
      quality: 'high', transport: 'mse', audio: true, fallbacks: [{ kind: 'for_audio' }],
    });
    expect(choosePlan(both, { ...small, audio: true }, able, none, false)).toMatchObject({
      transport: 'webcodecs', audio: false,
    });
  });

  it('takes the low H.264 encoding when H.265 cannot be decoded, and says so', () => {
    const mixed: Profile[] = [{ quality: 'high', codec: H265, hasAudio: false }, both[1] as Profile];
    expect(choosePlan(mixed, { ...small, large: true }, noH265, none, false)).toEqual({
      quality: 'low', transport: 'webcodecs', audio: false,
      fallbacks: [{ kind: 'codec', codec: H265, quality: 'high' }],
    });
  });

  it('ends at pictures when no encoding can be decoded', () => {
    const hevc: Profile[] = [{ quality: 'high', codec: H265, hasAudio: false }];
    expect(choosePlan(hevc, small, noH265, none, false)).toMatchObject({
      transport: 'jpeg', fallbacks: [{ kind: 'codec', quality: 'high' }],
    });
  });

  it('goes down the ladder as transports fail', () => {
    expect(choosePlan(both, small, able, new Set<Transport>(['webcodecs']), false)).toMatchObject({
      transport: 'mse', fallbacks: [{ kind: 'failed', transport: 'webcodecs' }],
    });
    expect(choosePlan(both, small, able, new Set<Transport>(['webcodecs', 'mse']), false).transport).toBe('jpeg');
  });

  it('plays B-frames and missing WebCodecs through MSE', () => {
    expect(choosePlan(both, small, able, none, true)).toMatchObject({ transport: 'mse', fallbacks: [{ kind: 'b_frames' }] });
    const old = { ...able, webcodecsPresent: false };
    expect(choosePlan(both, small, old, none, false)).toMatchObject({ transport: 'mse', fallbacks: [{ kind: 'no_webcodecs' }] });
  });

  it('tries a camera nobody has seen yet', () => {
    expect(choosePlan([], small, able, none, false)).toMatchObject({ quality: 'high', transport: 'webcodecs' });
  });
});

it('names codecs as people do', () => {
  expect([H264, H265, 'vp09.0'].map(codecName)).toEqual(['H.264', 'H.265', 'vp09.0']);
});
