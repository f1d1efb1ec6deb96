import { describe, expect, it } from 'vitest';
import { SilenceFiller, silentMp3, spanOf, tracksOf } from './silence';

const u32 = (n: number): number[] => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const text = (s: string): number[] => [...s].map((c) => c.charCodeAt(0));
const box = (type: string, ...content: number[][]): number[] => {
  const flat = content.flat();
  return [...u32(8 + flat.length), ...text(type), ...flat];
};
const zeros = (n: number): number[] => new Array<number>(n).fill(0);

function trak(id: number, timescale: number, handler: string, entry: string, channels: number): number[] {
  return box('trak',
    box('tkhd', zeros(12), u32(id), zeros(64)),
    box('mdia',
      box('mdhd', zeros(12), u32(timescale), zeros(8)),
      box('hdlr', zeros(8), text(handler), zeros(12)),
      box('minf', box('stbl', box('stsd', zeros(4), u32(1), box(entry, zeros(16), [0, channels], zeros(10)))))));
}
const trex = (id: number, duration: number): number[] => box('trex', zeros(4), u32(id), u32(1), u32(duration), zeros(8));

function init(channels = 1, entry = 'mp4a'): Uint8Array<ArrayBuffer> {
  return new Uint8Array([
    ...box('ftyp', zeros(8)),
    ...box('moov', trak(1, 90_000, 'vide', 'avc1', 0), trak(2, 16_000, 'soun', entry, channels), box('mvex', trex(1, 6_000), trex(2, 1_024))),
  ]);
}

/** A fragment of samples of the default duration. */
function fragment(track: number, time: number, samples: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([
    ...box('moof', box('traf', box('tfhd', u32(0x020000), u32(track)), box('tfdt', u32(0), u32(time)), box('trun', u32(0), u32(samples)))),
    ...box('mdat', [1]),
  ]);
}
const video = (second: number): Uint8Array<ArrayBuffer> => fragment(1, second * 90_000, 15);
const audio = (second: number): Uint8Array<ArrayBuffer> => fragment(2, second * 16_000, 16);

describe('reading', () => {
  it('finds tracks and the time of fragments', () => {
    const tracks = tracksOf(init(2));
    expect(tracks).toMatchObject([{ id: 1, timescale: 90_000, audio: false }, { id: 2, timescale: 16_000, audio: true, entry: 'mp4a', channels: 2 }]);
    expect(spanOf(video(3), tracks)).toMatchObject({ start: 3, end: 4 });
    expect(spanOf(audio(3), tracks)?.end).toBeCloseTo(3 + (16 * 1024) / 16_000);
  });
  it('reads durations of single samples', () => {
    const one = new Uint8Array([
      ...box('moof', box('traf', box('tfhd', u32(0x020000), u32(1)), box('tfdt', u32(0x01000000), u32(0), u32(90_000)),
        box('trun', u32(0x301), u32(2), u32(0), u32(45_000), u32(9), u32(45_000), u32(9)))),
      ...box('mdat', [1]),
    ]);
    expect(spanOf(one, tracksOf(init()))).toMatchObject({ start: 1, end: 2 });
  });
  it('takes what is malformed for absent', () => {
    expect(tracksOf(new Uint8Array(box('moov', box('trak', zeros(4)))))).toEqual([]);
    expect(spanOf(new Uint8Array(box('moof')), tracksOf(init()))).toBeNull();
  });
});

describe('silence of MP3', () => {
  const esds = (objectType: number, ...length: number[]): number[] =>
    box('esds', zeros(4), [3, ...length, 20, 0, 0, 0, 4, ...length, 13, objectType], zeros(12));
  const entryOf = (content: number[]): Uint8Array<ArrayBuffer> =>
    new Uint8Array(
      box('moov',
        box('trak',
          box('tkhd', zeros(12), u32(2), zeros(64)),
          box('mdia',
            box('mdhd', zeros(12), u32(48_000), zeros(8)),
            box('hdlr', zeros(8), text('soun'), zeros(12)),
            box('minf', box('stbl', box('stsd', zeros(4), u32(1), box('mp4a', zeros(16), [0, 1], zeros(10), content))))))),
    );
  it('is told from AAC by its descriptor', () => {
    expect(tracksOf(entryOf(esds(0x6b)))).toMatchObject([{ objectType: 0x6b }]);
    expect(tracksOf(entryOf(esds(0x40, 0x80, 0x80)))).toMatchObject([{ objectType: 0x40 }]);
    for (const odd of [[], box('esds', zeros(4)), box('esds', zeros(4), [3, 0x80, 0x80])]) {
      expect(tracksOf(entryOf(odd))).toMatchObject([{ objectType: 0 }]);
    }
  });
  it('has the length its header says', () => {
    expect(silentMp3(48_000, 1)).toMatchObject({ duration: 1152 });
    expect(silentMp3(48_000, 1)?.bytes.length).toBe((144 * 32_000) / 48_000);
    expect(silentMp3(16_000, 2)?.bytes.length).toBe((72 * 64_000) / 16_000);
    expect(silentMp3(48_000, 1)?.bytes.slice(0, 4)).toEqual([0xff, 0xfb, 0x14, 0xc0]);
    expect(silentMp3(8_000, 1)).toBeNull();
  });
});

describe('SilenceFiller', () => {
  function filler(bytes = init()): SilenceFiller {
    const made = new SilenceFiller();
    made.init(bytes, 0);
    return made;
  }
  const tracks = tracksOf(init());

  it('adds nothing where sound is', () => {
    const made = filler();
    for (let s = 0; s < 10; s++) {
      expect(made.before(video(s))).toBeNull();
      expect(made.before(audio(s))).toBeNull();
    }
    expect(made.rest()).toBeNull();
  });

  it('fills in for sound that stops, up to the pictures', () => {
    const made = filler();
    made.before(video(0));
    made.before(audio(0));
    expect(made.before(video(1))).toBeNull();
    expect(made.before(video(2))).toBeNull();
    expect(made.before(video(3))).toBeNull();
    const silence = made.before(video(4));
    const span = silence && spanOf(silence, tracks);
    expect(span?.track.audio).toBe(true);
    expect(span?.start).toBeCloseTo(1.024);
    expect(span?.end).toBeGreaterThan(3.9);
    const rest = made.rest();
    expect(rest && spanOf(rest, tracks)?.end).toBeGreaterThan(4.9);
    expect(made.rest()).toBeNull();
  });

  it('fills in for sound that comes late, and for a hole inside it', () => {
    const made = filler();
    made.before(video(0));
    const late = made.before(audio(1));
    expect(late && spanOf(late, tracks)).toMatchObject({ start: 0 });
    made.before(video(1));
    const hole = made.before(audio(3));
    expect(hole && spanOf(hole, tracks)?.start).toBeCloseTo(2.024);
  });

  it('does not fill in before the place where feeding began', () => {
    const made = new SilenceFiller();
    made.init(init(), 20);
    expect(made.before(video(20))).toBeNull();
    expect(made.before(audio(20))).toBeNull();
  });

  it('leaves video alone and codecs it has no silence for', () => {
    const only = filler(new Uint8Array(box('moov', trak(1, 90_000, 'vide', 'avc1', 0), box('mvex', trex(1, 6_000)))));
    for (let s = 0; s < 9; s++) expect(only.before(video(s))).toBeNull();
    const other = filler(init(1, 'ac-3'));
    for (let s = 0; s < 9; s++) expect(other.before(video(s))).toBeNull();
  });
});
