// Which encoding and which transport a tile asks for. Pure: abilities and failures come in,
// a plan and the reasons a person should see come out.

import type { Quality } from './frame';

export type Transport = 'webcodecs' | 'mse' | 'jpeg';

/** Why a tile does not use the transport or the encoding it would prefer. */
export type Fallback =
  | { kind: 'for_audio' }
  | { kind: 'no_webcodecs' }
  | { kind: 'b_frames' }
  | { kind: 'failed'; transport: Transport }
  | { kind: 'codec'; codec: string; quality: Quality }
  | { kind: 'served_other'; quality: Quality };

export interface Profile {
  quality: Quality;
  /** RFC 6381 string, null while nobody has seen the stream yet. */
  codec: string | null;
  hasAudio: boolean;
}

export interface Wish {
  /** Width of the tile in device pixels. */
  tileWidth: number;
  /** The only tile in sight. */
  large: boolean;
  audio: boolean;
}

export interface Abilities {
  webcodecsPresent: boolean;
  /** By codec string; a codec that is not listed has not been asked about and counts as able. */
  webcodecs: ReadonlyMap<string, boolean>;
  mse: ReadonlyMap<string, boolean>;
}

export interface Plan {
  quality: Quality;
  transport: Transport;
  audio: boolean;
  fallbacks: Fallback[];
}

/** Below this many device pixels the smaller encoding looks the same. */
export const LOW_BELOW_PIXELS = 720;

export function wantedQuality(profiles: readonly Profile[], wish: Wish): Quality {
  const has = (quality: Quality): boolean => profiles.some((p) => p.quality === quality);
  if (!has('low')) return 'high';
  if (!has('high')) return 'low';
  return wish.large || wish.tileWidth >= LOW_BELOW_PIXELS ? 'high' : 'low';
}

/** A plan for the wish. `failed` are transports that broke lately; `bFrames` is known per run. */
export function choosePlan(
  profiles: readonly Profile[],
  wish: Wish,
  abilities: Abilities,
  failed: ReadonlySet<Transport>,
  bFrames: boolean,
): Plan {
  const first = wantedQuality(profiles, wish);
  const order: Quality[] = first === 'high' ? ['high', 'low'] : ['low', 'high'];
  const fallbacks: Fallback[] = [];
  for (const quality of order) {
    const profile = profiles.find((p) => p.quality === quality);
    if (!profile && (quality !== first || profiles.length > 0)) continue;
    const codec = profile?.codec ?? null;
    const canMse = can(abilities.mse, codec);
    const canWebcodecs = abilities.webcodecsPresent && can(abilities.webcodecs, codec);
    if (!canMse && !canWebcodecs) {
      if (codec) fallbacks.push({ kind: 'codec', codec, quality });
      continue;
    }
    const audio = wish.audio && (profile?.hasAudio ?? true);
    const transport = pick(canWebcodecs, canMse, audio, failed, bFrames);
    if (transport === 'jpeg') {
      return { quality, transport, audio: false, fallbacks: [...fallbacks, ...failures(failed)] };
    }
    return {
      quality,
      transport,
      audio: audio && transport === 'mse',
      fallbacks: [...fallbacks, ...why(transport, audio, abilities.webcodecsPresent, failed, bFrames)],
    };
  }
  return { quality: first, transport: 'jpeg', audio: false, fallbacks };
}

function can(known: ReadonlyMap<string, boolean>, codec: string | null): boolean {
  return codec === null || (known.get(codec) ?? true);
}

function pick(
  webcodecs: boolean,
  mse: boolean,
  audio: boolean,
  failed: ReadonlySet<Transport>,
  bFrames: boolean,
): Transport {
  const order: Transport[] = audio ? ['mse', 'webcodecs'] : ['webcodecs', 'mse'];
  for (const transport of order) {
    if (failed.has(transport)) continue;
    if (transport === 'webcodecs' && webcodecs && !bFrames) return transport;
    if (transport === 'mse' && mse) return transport;
  }
  return 'jpeg';
}

function why(
  transport: Transport,
  audio: boolean,
  webcodecsPresent: boolean,
  failed: ReadonlySet<Transport>,
  bFrames: boolean,
): Fallback[] {
  if (transport === 'webcodecs') return failures(failed);
  if (audio) return [{ kind: 'for_audio' }];
  if (!webcodecsPresent) return [{ kind: 'no_webcodecs' }];
  if (bFrames) return [{ kind: 'b_frames' }];
  return failures(failed);
}

function failures(failed: ReadonlySet<Transport>): Fallback[] {
  return [...failed].map((transport) => ({ kind: 'failed', transport }));
}

/** The family a person knows a codec by. */
export function codecName(codec: string): string {
  const family = codec.split('.')[0] ?? '';
  if (family === 'avc1' || family === 'avc3') return 'H.264';
  if (family === 'hvc1' || family === 'hev1') return 'H.265';
  if (family === 'av01') return 'AV1';
  return codec;
}

export function samePlan(a: Plan, b: Plan): boolean {
  return a.quality === b.quality && a.transport === b.transport && a.audio === b.audio;
}
