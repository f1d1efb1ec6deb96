import { describe, expect, it } from 'vitest';
import type { Camera } from '../api/types';
import { INITIAL } from './machine';
import type { Plan } from './plan';
import { profilesOf, secondsUntil, tileStatus, whyOf } from './status';
import { texts } from './texts';

const camera: Camera = {
  id: 'aaaaaaaaaaaa', name: 'Yard', url: 'rtsp://x', has_password: false, state: 'streaming', warnings: [],
  profiles: [{ quality: 'high', url: 'rtsp://x', video: { codec: 'h265', codec_string: 'hvc1.1', width: 1920, height: 1080 } }],
};

describe('tileStatus', () => {
  it('says nothing over a picture that plays, whatever the camera says', () => {
    const status = tileStatus({ ...camera, state: 'connecting' }, null, { ...INITIAL, phase: 'playing', pictureAt: 1_000 }, 2_000);
    expect(status).toMatchObject({ state: 'playing', tone: 'ok', title: null });
  });
  it('does not call a dead camera live because its last picture is still there', () => {
    const view = { ...INITIAL, phase: 'playing', pictureAt: 1_000 } as const;
    expect(tileStatus({ ...camera, state: 'failed' }, 'Wrong password', view, 7_000)).toMatchObject({ state: 'failed', tone: 'bad', title: 'Wrong password' });
    expect(tileStatus({ ...camera, state: 'waiting' }, null, view, 7_000)).toMatchObject({ state: 'waiting', tone: 'warn', title: texts.lost });
    expect(tileStatus(camera, null, view, 7_000)).toMatchObject({ state: 'playing', tone: 'warn' });
    expect(tileStatus({ ...camera, state: 'failed' }, 'Wrong password', { ...view, phase: 'standing' }, 1_500).state).toBe('failed');
  });
  it("prefers the camera's reason to the player's", () => {
    const retryAt = '2026-11-21T08:00:05Z';
    const status = tileStatus({ ...camera, state: 'waiting', retry_at: retryAt }, 'Does not answer', { ...INITIAL, phase: 'retrying', trouble: 'silent', retryAt: 1 }, 0);
    expect(status).toMatchObject({ state: 'waiting', title: 'Does not answer', retryAt: Date.parse(retryAt) });
    const failed = tileStatus({ ...camera, state: 'failed', reason: { code: 'auth_refused', message: 'm' } }, 'Wrong password', { ...INITIAL, phase: 'standing' }, 0);
    expect(failed).toMatchObject({ state: 'failed', tone: 'bad', title: 'Wrong password', detail: 'm' });
  });
  it("falls back to the player's when the camera is fine", () => {
    expect(tileStatus(camera, null, { ...INITIAL, phase: 'retrying', trouble: 'closed', retryAt: 9 }, 0)).toMatchObject({ title: texts.lost, retryAt: 9 });
    expect(tileStatus(camera, null, { ...INITIAL, phase: 'connecting' }, 0)).toMatchObject({ busy: true });
    expect(tileStatus(undefined, null, { ...INITIAL, phase: 'connecting' }, 0).state).toBe('gone');
  });
});

it('counts down in whole seconds', () => {
  expect([secondsUntil(5_000, 0), secondsUntil(5_000, 4_001), secondsUntil(5_000, 9_000)]).toEqual([5, 1, 0]);
});

it('tells what is shown instead of a codec that cannot be played', () => {
  const plan: Plan = { quality: 'low', transport: 'webcodecs', audio: false, fallbacks: [] };
  const fallback = { kind: 'codec', codec: 'hvc1.1', quality: 'high' } as const;
  expect(whyOf(fallback, plan)).toContain('low quality');
  expect(whyOf(fallback, { ...plan, transport: 'jpeg' })).toContain('pictures');
});

it('reads profiles', () => {
  expect(profilesOf(camera)).toEqual([{ quality: 'high', codec: 'hvc1.1', hasAudio: false }]);
});
