// The particulars of a camera, for those who want to know more.

import type { Camera, Channel } from '../api/types';
import { texts } from '../lib/texts';
import { duration, ms } from '../lib/time';
import { codecName, frameSize } from '../lib/units';
import { lowUrlOf } from './form';
import type { Fact } from './probe';

/** How long ago, in words; a moment that is nearly now is `now`. */
function age(time: string | null | undefined, now: number): string {
  const at = ms(time);
  if (at === undefined) return texts.cameras.never;
  return now - at < 2000 ? texts.common.now : texts.cameras.frameAge(duration(now - at));
}

/** `720p` of a smaller stream, or its address when nothing was seen of it. */
function lowText(camera: Camera): string {
  const low = camera.profiles.find((profile) => profile.quality === 'low');
  if (low === undefined) return texts.cameras.lowMissing;
  return low.video == null ? lowUrlOf(camera) : `${codecName(low.video.codec)} · ${frameSize(low.video.width, low.video.height)}`;
}

/** Label and value, always the same rows so that nothing moves. */
export function detailFacts(camera: Camera, channel: Channel | undefined, now: number): Fact[] {
  const t = texts.cameras;
  const stats = camera.stats;
  const drift = stats?.drift_ppm;
  return [
    { label: t.address, value: camera.url },
    { label: t.low, value: lowText(camera) },
    { label: t.engineNow, value: camera.engine == null ? texts.common.none : texts.engines[camera.engine] },
    { label: t.lastFrame, value: age(stats?.last_frame_at, now) },
    { label: t.keyEvery, value: stats?.key_interval == null ? texts.common.unknown : texts.probe.keyEvery(stats.key_interval.toFixed(1)) },
    { label: t.reconnects, value: stats == null ? texts.common.unknown : stats.reconnects === 0 ? t.reconnectsNone : String(stats.reconnects) },
    { label: t.dropped, value: String((stats?.dropped ?? 0) + (channel?.recording.lost_frames ?? 0)) },
    { label: t.clockDrift, value: drift == null ? texts.common.unknown : t.driftOf(`${drift >= 0 ? '+' : ''}${drift.toFixed(0)}`) },
  ];
}
