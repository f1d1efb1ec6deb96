// A camera's sound may begin late, stop, or be missing for a while; files keep that as it is. A
// media element stops where any of its tracks stops, so silence is made up here for playing.

import { boxesIn, type Box } from './mp4';

/** Sound further behind the pictures than this will not come any more. Interleaving needs about a second. */
const LATE_S = 2;
/** A rest shorter than this is left to the media element. */
const SMALL_S = 0.12;
/** One fragment of silence is at most so long. */
const MAX_FRAMES = 2_000;

interface Track {
  id: number;
  timescale: number;
  audio: boolean;
  /** Sample entry, such as `mp4a`. */
  entry: string;
  channels: number;
  /** `objectTypeIndication` of an `mp4a` entry, 0 when it is not told. */
  objectType: number;
  /** Ticks of a sample when a fragment does not say. */
  defaultDuration: number;
}

/** Follows the fragments of one segment and makes up what its sound lacks. */
export class SilenceFiller {
  #tracks: Track[] = [];
  #videoEnd = 0;
  #audioEnd: number | null = null;
  #sequence = 0;

  /** Reads the tracks. `from` is the second of the segment at which feeding begins. */
  init(bytes: Uint8Array<ArrayBuffer>, from: number): void {
    this.#tracks = tracksOf(bytes);
    this.#videoEnd = from;
    this.#audioEnd = null;
  }

  /** Silence to append before a fragment, null when none is needed. */
  before(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | null {
    const span = spanOf(bytes, this.#tracks);
    const audio = this.#tracks.find((t) => t.audio);
    if (!span || !audio) return null;
    if (span.track.audio) {
      const since = this.#audioEnd ?? Math.min(span.start, this.#videoEnd);
      this.#audioEnd = Math.max(this.#audioEnd ?? 0, span.end);
      return span.start - since > SMALL_S ? this.#silence(audio, since, span.start) : null;
    }
    this.#audioEnd ??= span.start;
    const since = this.#audioEnd;
    this.#videoEnd = Math.max(this.#videoEnd, span.end);
    if (span.start - since <= LATE_S) return null;
    this.#audioEnd = span.start;
    return this.#silence(audio, since, span.start);
  }

  /** Silence for the rest of a segment whose sound ended before its pictures. */
  rest(): Uint8Array<ArrayBuffer> | null {
    const audio = this.#tracks.find((t) => t.audio);
    if (!audio || this.#audioEnd === null || this.#videoEnd - this.#audioEnd <= SMALL_S) return null;
    const since = this.#audioEnd;
    this.#audioEnd = this.#videoEnd;
    return this.#silence(audio, since, this.#videoEnd);
  }

  #silence(track: Track, from: number, to: number): Uint8Array<ArrayBuffer> | null {
    const frame = silentFrame(track);
    if (!frame) return null;
    const count = Math.min(MAX_FRAMES, Math.floor(((to - from) * track.timescale) / frame.duration));
    if (count < 1) return null;
    this.#sequence += 1;
    return fragment(track.id, this.#sequence, Math.round(from * track.timescale), frame, count);
  }
}

interface SilentFrame {
  bytes: readonly number[];
  /** Ticks. */
  duration: number;
}

/** ISO/IEC 14496-3, 4.4.2: one or two channels without any spectral data; RFC 6716: an empty CELT frame of 20 ms. */
function silentFrame(track: Track): SilentFrame | null {
  if (track.entry === 'Opus') return { bytes: [0xf8, 0xff, 0xfe], duration: 960 };
  if (track.entry !== 'mp4a') return null;
  if (track.objectType === MPEG1_AUDIO || track.objectType === MPEG2_AUDIO) return silentMp3(track.timescale, track.channels);
  const bytes = track.channels === 2 ? [0x20, 0, 0, 0, 0, 0, 0x0e] : [0, 0, 0, 0x07];
  return { bytes, duration: 1024 };
}

const MPEG1_AUDIO = 0x6b;
const MPEG2_AUDIO = 0x69;

/** ISO/IEC 11172-3 and 13818-3, Layer III: a header of 32 kbit/s a channel, and zeros, which is a frame without spectral data. */
export function silentMp3(rate: number, channels: number): SilentFrame | null {
  const mpeg1 = [44_100, 48_000, 32_000].indexOf(rate);
  const mpeg2 = [22_050, 24_000, 16_000].indexOf(rate);
  if (mpeg1 < 0 && mpeg2 < 0) return null;
  const stereo = channels === 2;
  const bitrate = mpeg1 >= 0 ? (stereo ? 5 : 1) : stereo ? 8 : 4;
  const duration = mpeg1 >= 0 ? 1152 : 576;
  const head = [0xff, mpeg1 >= 0 ? 0xfb : 0xf3, (bitrate << 4) | (Math.max(mpeg1, mpeg2) << 2), stereo ? 0 : 0xc0];
  const size = Math.floor(((duration / 8) * 32_000 * (stereo ? 2 : 1)) / rate);
  return { bytes: [...head, ...new Array<number>(size - head.length).fill(0)], duration };
}

function view(bytes: Uint8Array<ArrayBuffer>): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function child(bytes: Uint8Array<ArrayBuffer>, box: Pick<Box, 'start' | 'end'>, ...path: string[]): Box | null {
  let here: Pick<Box, 'start' | 'end'> = box;
  let found: Box | null = null;
  for (const type of path) {
    found = [...boxesIn(bytes, here.start, here.end)].find((b) => b.type === type) ?? null;
    if (!found) return null;
    here = found;
  }
  return found;
}

/** The tracks of an init segment. What is malformed counts as absent. */
export function tracksOf(bytes: Uint8Array<ArrayBuffer>): Track[] {
  const moov = child(bytes, { start: 0, end: bytes.byteLength }, 'moov');
  if (!moov) return [];
  const data = view(bytes);
  const defaults = new Map<number, number>();
  const mvex = child(bytes, moov, 'mvex');
  for (const trex of mvex ? boxesIn(bytes, mvex.start, mvex.end) : []) {
    if (trex.type === 'trex' && trex.end - trex.start >= 24) defaults.set(data.getUint32(trex.start + 4), data.getUint32(trex.start + 12));
  }
  const tracks: Track[] = [];
  for (const trak of boxesIn(bytes, moov.start, moov.end)) {
    if (trak.type !== 'trak') continue;
    const tkhd = child(bytes, trak, 'tkhd');
    const mdhd = child(bytes, trak, 'mdia', 'mdhd');
    const hdlr = child(bytes, trak, 'mdia', 'hdlr');
    const stsd = child(bytes, trak, 'mdia', 'minf', 'stbl', 'stsd');
    if (!tkhd || !mdhd || !hdlr || !stsd) continue;
    const id = data.getUint32(tkhd.start + (data.getUint8(tkhd.start) === 1 ? 20 : 12));
    const timescale = data.getUint32(mdhd.start + (data.getUint8(mdhd.start) === 1 ? 20 : 12));
    const entry = [...boxesIn(bytes, stsd.start + 8, stsd.end)][0];
    if (!entry || timescale === 0 || entry.end - entry.start < 20) continue;
    tracks.push({
      id,
      timescale,
      audio: data.getUint32(hdlr.start + 8) === SOUN,
      entry: entry.type,
      channels: data.getUint16(entry.start + 16),
      objectType: entry.type === 'mp4a' ? objectTypeOf(bytes, entry) : 0,
      defaultDuration: defaults.get(id) ?? 0,
    });
  }
  return tracks;
}

const SOUN = 0x736f756e;

/** ISO/IEC 14496-14, 5.6, and 14496-1, 7.2.6: an ES descriptor, and in it how to decode it. 0 when there is none. */
function objectTypeOf(bytes: Uint8Array<ArrayBuffer>, entry: Box): number {
  const esds = [...boxesIn(bytes, entry.start + 28, entry.end)].find((b) => b.type === 'esds');
  if (!esds) return 0;
  let at = esds.start + 4;
  const tag = (expected: number): boolean => {
    if (bytes[at] !== expected) return false;
    at += 1;
    // A length of one to four bytes; all but the last have the top bit.
    while (at < esds.end && ((bytes[at] ?? 0) & 0x80) !== 0) at += 1;
    at += 1;
    return at < esds.end;
  };
  if (!tag(3)) return 0;
  const flags = bytes[at + 2] ?? 0;
  // Ours have no optional fields.
  if ((flags & 0xe0) !== 0) return 0;
  at += 3;
  return tag(4) ? (bytes[at] ?? 0) : 0;
}

/** When a fragment begins and ends, in seconds of the segment. */
export function spanOf(bytes: Uint8Array<ArrayBuffer>, tracks: readonly Track[]): { track: Track; start: number; end: number } | null {
  const traf = child(bytes, { start: 0, end: bytes.byteLength }, 'moof', 'traf');
  const tfhd = traf && child(bytes, traf, 'tfhd');
  const tfdt = traf && child(bytes, traf, 'tfdt');
  if (!traf || !tfhd || !tfdt) return null;
  const data = view(bytes);
  const track = tracks.find((t) => t.id === data.getUint32(tfhd.start + 4));
  if (!track) return null;
  const flags = data.getUint32(tfhd.start) & 0xffffff;
  // Optional fields in their order: base data offset, description index, duration.
  const durationAt = tfhd.start + 8 + (flags & 0x1 ? 8 : 0) + (flags & 0x2 ? 4 : 0);
  const each = flags & 0x8 ? data.getUint32(durationAt) : track.defaultDuration;
  const from = data.getUint8(tfdt.start) === 1 ? Number(data.getBigUint64(tfdt.start + 4)) : data.getUint32(tfdt.start + 4);
  let ticks = 0;
  for (const trun of boxesIn(bytes, traf.start, traf.end)) if (trun.type === 'trun') ticks += ticksOf(data, trun, each);
  return { track, start: from / track.timescale, end: (from + ticks) / track.timescale };
}

function ticksOf(data: DataView, trun: Box, each: number): number {
  const flags = data.getUint32(trun.start) & 0xffffff;
  const count = data.getUint32(trun.start + 4);
  if (!(flags & 0x100)) return count * each;
  const size = 4 * [0x100, 0x200, 0x400, 0x800].filter((f) => flags & f).length;
  let at = trun.start + 8 + (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  let ticks = 0;
  for (let i = 0; i < count && at + size <= trun.end; i++, at += size) ticks += data.getUint32(at);
  return ticks;
}

/** A moof and mdat of equal silent frames. */
function fragment(track: number, sequence: number, time: number, frame: SilentFrame, count: number): Uint8Array<ArrayBuffer> {
  const mfhd = full('mfhd', 0, 0, u32(sequence));
  // Default duration and size, and offsets from the moof.
  const tfhd = full('tfhd', 0, 0x020018, [...u32(track), ...u32(frame.duration), ...u32(frame.bytes.length)]);
  const tfdt = full('tfdt', 1, 0, [...u32(Math.floor(time / 2 ** 32)), ...u32(time % 2 ** 32)]);
  const trun = (offset: number): number[] => full('trun', 0, 0x1, [...u32(count), ...u32(offset)]);
  const moof = (offset: number): number[] => box('moof', [...mfhd, ...box('traf', [...tfhd, ...tfdt, ...trun(offset)])]);
  const head = moof(moof(0).length + 8);
  const payload = frame.bytes.length * count;
  const bytes = new Uint8Array(head.length + 8 + payload);
  bytes.set(head);
  bytes.set([...u32(8 + payload), ...ascii('mdat')], head.length);
  for (let i = 0; i < count; i++) bytes.set(frame.bytes, head.length + 8 + i * frame.bytes.length);
  return bytes;
}

function box(type: string, content: readonly number[]): number[] {
  return [...u32(8 + content.length), ...ascii(type), ...content];
}

function full(type: string, version: number, flags: number, content: readonly number[]): number[] {
  return box(type, [...u32(version * 2 ** 24 + flags), ...content]);
}

function u32(n: number): number[] {
  return [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
}

function ascii(text: string): number[] {
  return [...text].map((c) => c.charCodeAt(0));
}
