// What comes over the live socket: binary frames (docs/protocol.md, section 2) and text messages.
// Everything is checked here, once; the rest of the page trusts what it gets.

export const HEADER_BYTES = 24;
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;

export type FrameKind = 'init' | 'video' | 'audio';

export interface LiveFrame {
  kind: FrameKind;
  key: boolean;
  /** Silence made for the viewer. */
  filler: boolean;
  /** Ticks of the track; 0 when unknown. */
  duration: number;
  /** Decode time in ticks of the track, from the start of the run. */
  time: number;
  /** Milliseconds since 1970 UTC. */
  captureMs: number;
  payload: Uint8Array<ArrayBuffer>;
}

const KINDS: readonly FrameKind[] = ['init', 'video', 'audio'];

/** The frame in a binary message, or null when it is not one. The payload is not copied. */
export function parseFrame(message: ArrayBuffer): LiveFrame | null {
  if (message.byteLength < HEADER_BYTES || message.byteLength > HEADER_BYTES + MAX_PAYLOAD_BYTES) {
    return null;
  }
  const view = new DataView(message);
  const kind = KINDS[view.getUint8(0)];
  const time = Number(view.getBigInt64(8));
  const captureMs = Number(view.getBigInt64(16));
  if (!kind || !Number.isSafeInteger(time) || !Number.isSafeInteger(captureMs)) return null;
  const flags = view.getUint8(1);
  return {
    kind,
    key: (flags & 1) !== 0,
    filler: (flags & 2) !== 0,
    duration: view.getUint32(4),
    time,
    captureMs,
    payload: new Uint8Array(message, HEADER_BYTES),
  };
}

export type Quality = 'high' | 'low';

export interface StartMessage {
  type: 'start';
  quality: Quality;
  videoCodec: string;
  /** avcC or hvcC record. */
  videoConfig: Uint8Array<ArrayBuffer>;
  width: number;
  height: number;
  audioCodec: string | null;
  videoTimescale: number;
  audioTimescale: number | null;
}

export type LiveMessage =
  | StartMessage
  | { type: 'skipped'; frames: number }
  | { type: 'waiting' };

/** The text message, or null when it is not one this page knows. */
export function parseMessage(text: string): LiveMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  switch (value['type']) {
    case 'waiting':
      return { type: 'waiting' };
    case 'skipped':
      return { type: 'skipped', frames: numberOr(value['frames'], 0) };
    case 'start':
      return parseStart(value);
    default:
      return null;
  }
}

function parseStart(value: Record<string, unknown>): StartMessage | null {
  const { quality, video_codec, video_config, audio_codec } = value;
  if (quality !== 'high' && quality !== 'low') return null;
  if (typeof video_codec !== 'string' || typeof video_config !== 'string') return null;
  const videoConfig = fromBase64(video_config);
  const videoTimescale = numberOr(value['video_timescale'], 0);
  if (!videoConfig || videoTimescale <= 0) return null;
  const audioTimescale = numberOr(value['audio_timescale'], 0);
  return {
    type: 'start',
    quality,
    videoCodec: video_codec,
    videoConfig,
    width: numberOr(value['width'], 0),
    height: numberOr(value['height'], 0),
    audioCodec: typeof audio_codec === 'string' && audio_codec !== '' ? audio_codec : null,
    videoTimescale,
    audioTimescale: audioTimescale > 0 ? audioTimescale : null,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  } catch {
    return null;
  }
}
