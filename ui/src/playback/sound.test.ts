import { describe, expect, it } from 'vitest';
import type { Piece } from './mp4';
import { tracksOf } from './silence';
import { SoundRemover, played } from './sound';

const u32 = (n: number): number[] => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const text = (s: string): number[] => [...s].map((c) => c.charCodeAt(0));
const box = (type: string, ...content: number[][]): number[] => {
  const flat = content.flat();
  return [...u32(8 + flat.length), ...text(type), ...flat];
};
const zeros = (n: number): number[] => new Array<number>(n).fill(0);
const trak = (id: number, handler: string, entry: string): number[] =>
  box('trak',
    box('tkhd', zeros(12), u32(id), zeros(64)),
    box('mdia',
      box('mdhd', zeros(12), u32(90_000), zeros(8)),
      box('hdlr', zeros(8), text(handler), zeros(12)),
      box('minf', box('stbl', box('stsd', zeros(4), u32(1), box(entry, zeros(28)))))));
const trex = (id: number): number[] => box('trex', zeros(4), u32(id), u32(1), u32(1), zeros(8));
const piece = (kind: Piece['kind'], bytes: number[]): Piece => ({ kind, bytes: new Uint8Array(bytes), end: 1000 });
const init = (...tracks: number[][]): Piece =>
  piece('init', [...box('ftyp', zeros(8)), ...box('moov', box('mvhd', zeros(20)), ...tracks, box('udta', zeros(4)))]);
const fragment = (track: number): Piece =>
  piece('media', [
    ...box('moof', box('traf', box('tfhd', u32(0x020000), u32(track)), box('tfdt', u32(0), u32(0)), box('trun', u32(0), u32(1)))),
    ...box('mdat', [1]),
  ]);

describe('played', () => {
  const only = (...able: string[]) => (mime: string) => able.some((a) => mime === `video/mp4; codecs="${a}"`);
  it('is everything where that can be played', () => {
    expect(played('avc1.64001f,mp4a.40.2', () => true)).toBe('avc1.64001f,mp4a.40.2');
  });
  it('is the pictures where the sound cannot be played', () => {
    expect(played('avc1.64001f,mp4a.6B', only('avc1.64001f'))).toBe('avc1.64001f');
  });
  it('stays what it is where neither can', () => {
    expect(played('hvc1.1,mp4a.6B', () => false)).toBe('hvc1.1,mp4a.6B');
    expect(played('hvc1.1', () => false)).toBe('hvc1.1');
  });
});

describe('SoundRemover', () => {
  it('leaves pictures and nothing of the sound', () => {
    const remover = new SoundRemover();
    const both = init(trak(1, 'vide', 'avc1'), trak(2, 'soun', 'mp4a'), box('mvex', trex(1), trex(2)));
    const silent = init(trak(1, 'vide', 'avc1'), box('mvex', trex(1)));
    const made = remover.piece(both);
    expect([...(made?.bytes ?? [])]).toEqual([...silent.bytes]);
    expect(made?.end).toBe(both.end);
    expect(tracksOf(made?.bytes ?? new Uint8Array())).toMatchObject([{ id: 1, audio: false }]);
    expect(remover.piece(fragment(2))).toBeNull();
    const pictures = fragment(1);
    expect(remover.piece(pictures)).toBe(pictures);
  });
  it('leaves what has no sound as it is', () => {
    const remover = new SoundRemover();
    const silent = init(trak(1, 'vide', 'avc1'), box('mvex', trex(1)));
    expect(remover.piece(silent)).toBe(silent);
    const odd = fragment(9);
    expect(remover.piece(odd)).toBe(odd);
  });
});
