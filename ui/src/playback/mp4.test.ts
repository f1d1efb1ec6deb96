import { describe, expect, it } from 'vitest';
import { FragmentCutter, MalformedMp4, offsetAt, readHead } from './mp4';

function box(type: string, payload: number[] = []): number[] {
  const size = 8 + payload.length;
  return [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255, ...[...type].map((c) => c.charCodeAt(0)), ...payload];
}
const u32 = (n: number): number[] => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

/** version 0, timescale 1000, three references of 1 s: key, not key, key. */
const sidx = box('sidx', [
  0, 0, 0, 0, ...u32(1), ...u32(1000), ...u32(0), ...u32(0), 0, 0, 0, 3,
  ...u32(100), ...u32(1000), 0x90, 0, 0, 0,
  ...u32(200), ...u32(1000), 0, 0, 0, 0,
  ...u32(300), ...u32(1000), 0x90, 0, 0, 0,
]);
const head = [...box('ftyp', [1, 2]), ...box('moov', [3])];

describe('FragmentCutter', () => {
  const file = new Uint8Array([...head, ...box('free', [0, 0]), ...box('moof', [1]), ...box('mdat', [2, 3]), ...box('moof', [4]), ...box('mdat', [5])]);

  it('gives init and whole fragments whatever the chunks', () => {
    for (const chunk of [1, 3, 7, 16, file.length]) {
      const cutter = new FragmentCutter();
      const pieces = [];
      for (let at = 0; at < file.length; at += chunk) pieces.push(...cutter.push(file.slice(at, at + chunk)));
      expect(pieces.map((p) => p.kind)).toEqual(['init', 'media', 'media']);
      expect([...(pieces[0]?.bytes ?? [])]).toEqual(head);
      expect(pieces.map((p) => p.end)).toEqual([head.length, head.length + 10 + 9 + 10, file.length]);
    }
  });

  it('goes on from an offset and leaves out what it has no beginning of', () => {
    const from = head.length + 10 + 9;
    const pieces = new FragmentCutter(from).push(file.slice(from));
    expect(pieces.map((p) => [p.kind, p.end])).toEqual([['media', file.length]]);
  });

  it('refuses sizes that cannot be', () => {
    expect(() => new FragmentCutter().push(new Uint8Array([0, 0, 0, 4, 0, 0, 0, 0]))).toThrow(MalformedMp4);
    expect(() => new FragmentCutter().push(new Uint8Array([0x7f, 0, 0, 0, 0, 0, 0, 0]))).toThrow(MalformedMp4);
  });
});

describe('readHead', () => {
  it('finds init and index', () => {
    const { init, index } = readHead(new Uint8Array([...head, ...sidx, ...box('moof')]));
    expect([...(init ?? [])]).toEqual(head);
    const first = head.length + sidx.length;
    expect(index?.entries).toEqual([{ start: 0, offset: first }, { start: 2, offset: first + 300 }]);
    expect(index && offsetAt(index, 1.9)).toBe(first);
    expect(index && offsetAt(index, 2)).toBe(first + 300);
    expect(index && offsetAt(index, 99)).toBe(first + 300);
  });
  it('does without an index, and with half a head', () => {
    expect(readHead(new Uint8Array([...head, ...box('free', [0]), ...box('moof')]))).toMatchObject({ index: null });
    expect(readHead(new Uint8Array(head.slice(0, 14)))).toEqual({ init: null, index: null });
    expect(readHead(new Uint8Array([...head, ...sidx.slice(0, 20)])).index).toBeNull();
  });
});
