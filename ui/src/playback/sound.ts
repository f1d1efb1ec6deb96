// Playing without sound what this webview cannot play with it, such as MP3 within MP4: the sound
// is taken out of the bytes, because one track that is not understood costs the pictures too.

import { boxesIn, type Box, type Piece } from './mp4';
import { spanOf, tracksOf } from './silence';
import { mimeOf } from './stitch';

/** The codecs to play of a part: all of them, or the pictures alone if that helps. */
export function played(codecs: string, supported: (mime: string) => boolean): string {
  if (supported(mimeOf(codecs))) return codecs;
  const pictures = codecs.split(',')[0]?.trim() ?? codecs;
  return pictures !== codecs && supported(mimeOf(pictures)) ? pictures : codecs;
}

/** Takes the sound out of the pieces of one segment. */
export class SoundRemover {
  #tracks: ReturnType<typeof tracksOf> = [];

  /** The piece without sound; null when nothing is left of it. */
  piece(piece: Piece): Piece | null {
    if (piece.kind === 'init') {
      this.#tracks = tracksOf(piece.bytes);
      const sound = this.#tracks.filter((t) => t.audio).map((t) => t.id);
      return sound.length > 0 ? { ...piece, bytes: withoutTracks(piece.bytes, sound) } : piece;
    }
    return spanOf(piece.bytes, this.#tracks)?.track.audio ? null : piece;
  }
}

/** An init segment without some of its tracks. */
function withoutTracks(bytes: Uint8Array<ArrayBuffer>, ids: readonly number[]): Uint8Array<ArrayBuffer> {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const child = (of: Box, type: string): Box | undefined => [...boxesIn(bytes, of.start, of.end)].find((b) => b.type === type);
  const dropped = (b: Box): boolean => {
    if (b.type === 'trex') return ids.includes(data.getUint32(b.start + 4));
    if (b.type !== 'trak') return false;
    const tkhd = child(b, 'tkhd');
    return tkhd !== undefined && ids.includes(data.getUint32(tkhd.start + (data.getUint8(tkhd.start) === 1 ? 20 : 12)));
  };
  const whole = (b: Box): Uint8Array<ArrayBuffer> => bytes.subarray(b.start - HEADER, b.end);
  const kept = (parent: Box): Uint8Array<ArrayBuffer> => {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (const b of boxesIn(bytes, parent.start, parent.end)) {
      if (!dropped(b)) parts.push(b.type === 'mvex' ? kept(b) : whole(b));
    }
    return boxed(parent.type, parts);
  };
  const top: Uint8Array<ArrayBuffer>[] = [];
  for (const b of boxesIn(bytes, 0, bytes.byteLength)) top.push(b.type === 'moov' ? kept(b) : whole(b));
  return joined(top);
}

const HEADER = 8;

function boxed(type: string, parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(HEADER);
  new DataView(head.buffer).setUint32(0, parts.reduce((n, p) => n + p.byteLength, HEADER));
  for (let i = 0; i < 4; i++) head[4 + i] = type.charCodeAt(i);
  return joined([head, ...parts]);
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}
