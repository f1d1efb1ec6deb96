// Just enough of ISO/IEC 14496-12 to feed a segment file piecemeal: whole boxes cut from a byte
// stream, and the sidx that says where each fragment is. Hostile sizes end in an error, not in memory.

const BOX_HEADER = 8;
const MAX_BOX_BYTES = 64 * 1024 * 1024;

export class MalformedMp4 extends Error {
  override name = 'MalformedMp4';
}

export interface Piece {
  /** `init`: ftyp and moov. `media`: one moof and its mdat. */
  kind: 'init' | 'media';
  bytes: Uint8Array<ArrayBuffer>;
  /** Offset in the file of the byte after this piece: where reading may go on. */
  end: number;
}

/** Cuts a byte stream of a segment file into what a SourceBuffer takes whole. */
export class FragmentCutter {
  #held: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Offset in the file of the first held byte. */
  #offset: number;
  #group: Uint8Array<ArrayBuffer>[] = [];

  /** `offset` is where in the file the stream begins: 0, or the start of a moof. */
  constructor(offset = 0) {
    this.#offset = offset;
  }

  push(bytes: Uint8Array<ArrayBuffer>): Piece[] {
    this.#held = this.#held.byteLength === 0 ? bytes : concat([this.#held, bytes]);
    const pieces: Piece[] = [];
    let at = 0;
    for (;;) {
      const size = boxSize(this.#held, at);
      if (size === null || at + size > this.#held.byteLength) break;
      const piece = this.#box(this.#held.subarray(at, at + size), this.#offset + at + size);
      if (piece) pieces.push(piece);
      at += size;
    }
    this.#held = this.#held.slice(at);
    this.#offset += at;
    return pieces;
  }

  #box(box: Uint8Array<ArrayBuffer>, end: number): Piece | null {
    switch (boxType(box, 0)) {
      case 'ftyp':
      case 'moof':
        this.#group = [box.slice()];
        return null;
      case 'moov':
        return this.#finish('init', box, end);
      case 'mdat':
        // An mdat without its moof belongs to a fragment we began in the middle of.
        return this.#group.length > 0 ? this.#finish('media', box, end) : null;
      default:
        return null;
    }
  }

  #finish(kind: Piece['kind'], box: Uint8Array<ArrayBuffer>, end: number): Piece {
    const bytes = concat([...this.#group, box]);
    this.#group = [];
    return { kind, bytes, end };
  }
}

/** Where fragments are: offsets in the file, times in seconds from its start. */
export interface Index {
  entries: { start: number; offset: number }[];
}

/** What the first bytes of a file tell. */
export interface Head {
  init: Uint8Array<ArrayBuffer> | null;
  index: Index | null;
}

/** Reads ftyp, moov and sidx from the first bytes of a file; what is cut off counts as absent. */
export function readHead(bytes: Uint8Array<ArrayBuffer>): Head {
  let at = 0;
  let ftyp: Uint8Array<ArrayBuffer> | null = null;
  const head: Head = { init: null, index: null };
  for (;;) {
    const size = boxSize(bytes, at);
    if (size === null || at + size > bytes.byteLength) return head;
    const box = bytes.subarray(at, at + size);
    const type = boxType(box, 0);
    if (type === 'ftyp') ftyp = box;
    else if (type === 'moov') head.init = concat(ftyp ? [ftyp, box] : [box]);
    else if (type === 'sidx') {
      head.index = readIndex(box, at + size);
      return head;
    } else if (type === 'moof') return head;
    at += size;
  }
}

/** ISO/IEC 14496-12, 8.16.3. `end` is the offset in the file after the box. */
function readIndex(box: Uint8Array<ArrayBuffer>, end: number): Index | null {
  const view = new DataView(box.buffer, box.byteOffset, box.byteLength);
  if (box.byteLength < 32) return null;
  const version = view.getUint8(8);
  const timescale = view.getUint32(16);
  if (timescale === 0) return null;
  const wide = version !== 0;
  if (wide && box.byteLength < 40) return null;
  let time = wide ? Number(view.getBigUint64(20)) : view.getUint32(20);
  let offset = end + (wide ? Number(view.getBigUint64(28)) : view.getUint32(24));
  let at = wide ? 36 : 28;
  const count = view.getUint16(at + 2);
  at += 4;
  const entries: Index['entries'] = [];
  for (let i = 0; i < count && at + 12 <= box.byteLength; i++, at += 12) {
    const reference = view.getUint32(at);
    // A reference to another sidx: not a file of ours.
    if (reference >>> 31 === 1) return null;
    // Only what begins with a key frame is a place to start from.
    if (view.getUint32(at + 8) >>> 31 === 1) entries.push({ start: time / timescale, offset });
    time += view.getUint32(at + 4);
    offset += reference & 0x7fffffff;
  }
  return entries.length > 0 ? { entries } : null;
}

/** Offset from which to read to see the picture at `seconds`; null when the index does not help. */
export function offsetAt(index: Index, seconds: number): number | null {
  let found: number | null = null;
  for (const entry of index.entries) {
    if (entry.start > seconds) break;
    found = entry.offset;
  }
  return found;
}

export interface Box {
  type: string;
  /** Offsets of the content, header left out. */
  start: number;
  end: number;
}

/** The boxes between two offsets. What is cut off ends the list. */
export function* boxesIn(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): Generator<Box> {
  for (let at = from; ; ) {
    const size = boxSize(bytes, at);
    if (size === null || at + size > to) return;
    yield { type: boxType(bytes, at), start: at + BOX_HEADER, end: at + size };
    at += size;
  }
}

/** Size of the box at `at`, null when its header is not there yet. */
function boxSize(bytes: Uint8Array<ArrayBuffer>, at: number): number | null {
  if (at + BOX_HEADER > bytes.byteLength) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let size = view.getUint32(at);
  if (size === 1) {
    if (at + 16 > bytes.byteLength) return null;
    size = Number(view.getBigUint64(at + 8));
  }
  if (size < BOX_HEADER || size > MAX_BOX_BYTES) throw new MalformedMp4(`box of ${size} bytes`);
  return size;
}

function boxType(bytes: Uint8Array<ArrayBuffer>, at: number): string {
  return String.fromCharCode(...bytes.subarray(at + 4, at + 8));
}

function concat(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}
