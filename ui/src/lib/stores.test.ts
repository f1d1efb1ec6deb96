import { describe, expect, it } from 'vitest';
import type { Camera, Change } from '../api/types';
import { Backoff } from './backoff';
import { Changes, readChange, type Socket } from './changes';
import { reduceCameras, reduceChannels } from './reduce';
import { parseTarget, sameTarget, targetOf } from './route';
import { PAGES, pageOf, pagePath, shelfOf } from './pages';
import { ShortcutReader } from './shortcuts';
import { bitrate, bytes, frameRate } from './units';

const camera = (id: string, name: string): Camera => ({ id, name, url: 'rtsp://x', has_password: false, state: 'idle', profiles: [], warnings: [] });
const changed = (c: Camera): Change => ({ type: 'camera', camera: c });

describe('reduceCameras', () => {
  const a = camera('a', 'Attic');
  const b = camera('b', 'Barn');
  it('keeps rows that did not change', () => {
    const next = reduceCameras([a, b], changed({ ...b, state: 'streaming' }));
    expect(next[0]).toBe(a);
    expect(next[1]?.state).toBe('streaming');
  });
  it('keeps the order of names, with numbers as numbers', () => {
    let rows: readonly Camera[] = [];
    for (const name of ['Gate 10', 'gate 2', 'Attic']) rows = reduceCameras(rows, changed(camera(name, name)));
    expect(rows.map((c) => c.name)).toEqual(['Attic', 'gate 2', 'Gate 10']);
    rows = reduceCameras(rows, changed({ ...camera('Attic', 'Zoo') }));
    expect(rows.at(-1)?.name).toBe('Zoo');
  });
  it('takes rows out, and leaves the list alone for what is not its own', () => {
    expect(reduceCameras([a, b], { type: 'camera_removed', id: 'a' })).toEqual([b]);
    const rows = [a, b];
    expect(reduceCameras(rows, { type: 'camera_removed', id: 'zz' })).toBe(rows);
    expect(reduceCameras(rows, { type: 'channel_removed', id: 'a' })).toBe(rows);
    expect(reduceChannels([], changed(a))).toEqual([]);
  });
});

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;
  close() {
    this.closed = true;
  }
}

/** A stream whose sockets and waits are in our hands. */
function stream(refuse: () => boolean = () => false) {
  const sockets: FakeSocket[] = [];
  const seen: Change[] = [];
  const connected: boolean[] = [];
  const waits: { run: () => void; ms: number }[] = [];
  const silences: { run: () => void; ms: number }[] = [];
  const changes = new Changes({
    open: () => {
      if (refuse()) return Promise.reject(new Error('away'));
      const socket = new FakeSocket();
      sockets.push(socket);
      return Promise.resolve(socket);
    },
    change: (change) => seen.push(change),
    connected: (now) => connected.push(now),
    backoff: new Backoff(100, 1000, () => 1),
    later: (run, ms) => {
      const wait = { run, ms };
      waits.push(wait);
      return () => waits.splice(waits.indexOf(wait), 1);
    },
    silence: (run, ms) => {
      const wait = { run, ms };
      silences.push(wait);
      return () => silences.splice(silences.indexOf(wait), 1);
    },
  });
  return { changes, sockets, seen, connected, waits, silences };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('Changes', () => {
  it('reads the lists again after each connection, then follows', async () => {
    const s = stream();
    s.changes.start();
    await settled();
    s.sockets[0]?.onopen?.();
    s.sockets[0]?.onmessage?.({ data: JSON.stringify({ type: 'camera_removed', id: 'a' }) });
    expect(s.seen).toEqual([{ type: 'resync' }, { type: 'camera_removed', id: 'a' }]);
    s.sockets[0]?.onclose?.();
    expect(s.connected).toEqual([true, false]);
    s.waits.shift()?.run();
    await settled();
    s.sockets[1]?.onopen?.();
    expect(s.seen.at(-1)).toEqual({ type: 'resync' });
    expect(s.connected.at(-1)).toBe(true);
  });
  it('waits longer each time, up to the most, and starts over after a success', async () => {
    let away = true;
    const s = stream(() => away);
    s.changes.start();
    const waited: (number | undefined)[] = [];
    for (let i = 0; i < 6; i += 1) {
      await settled();
      const wait = s.waits.shift();
      waited.push(wait?.ms);
      if (i === 5) away = false;
      wait?.run();
    }
    expect(waited).toEqual([100, 200, 400, 800, 1000, 1000]);
    await settled();
    s.sockets[0]?.onopen?.();
    s.sockets[0]?.onclose?.();
    expect(s.waits[0]?.ms).toBe(100);
  });
  it('is silent after it was stopped', async () => {
    const s = stream();
    s.changes.start();
    await settled();
    const socket = s.sockets[0];
    socket?.onopen?.();
    s.changes.stop();
    socket?.onmessage?.({ data: '{"type":"resync"}' });
    socket?.onclose?.();
    expect(socket?.closed).toBe(true);
    expect(s.seen).toHaveLength(1);
    expect(s.waits).toHaveLength(0);
  });
  it('closes a socket that came after it was stopped', async () => {
    const s = stream();
    s.changes.start();
    s.changes.stop();
    await settled();
    expect(s.sockets[0]?.closed).toBe(true);
  });
  it('gives up a connection that has died without a word, and is not told of it twice', async () => {
    const s = stream();
    s.changes.start();
    await settled();
    s.sockets[0]?.onopen?.();
    s.sockets[0]?.onmessage?.({ data: '{"type":"alive"}' });
    expect(s.seen).toEqual([{ type: 'resync' }]);
    expect(s.silences.map((w) => w.ms)).toEqual([60_000]);
    s.silences[0]?.run();
    expect(s.sockets[0]?.closed).toBe(true);
    s.sockets[0]?.onclose?.();
    expect(s.connected).toEqual([true, false]);
    expect(s.waits).toHaveLength(1);
    expect(s.silences).toHaveLength(0);
    s.waits.shift()?.run();
    await settled();
    s.sockets[1]?.onopen?.();
    expect(s.connected.at(-1)).toBe(true);
  });
  it('does not wait for ever for an address or a handshake', async () => {
    const s = stream();
    s.changes.start();
    s.silences[0]?.run();
    await settled();
    expect(s.sockets[0]?.closed).toBe(true);
    expect(s.waits).toHaveLength(1);
  });
  it('does not fall over what is not a change', () => {
    for (const data of ['', '{', '5', 'null', '{"a":1}', new ArrayBuffer(4)]) expect(readChange(data)).toBeUndefined();
  });
});

describe('addresses of pages', () => {
  it('go both ways', () => {
    const target = { path: '/playback', query: { channel: 'a b', at: '2026-11-21T08:00:00Z' } };
    expect(parseTarget(targetOf(target.path, target.query))).toEqual(target);
    expect(parseTarget('')).toEqual({ path: '/', query: {} });
    expect(parseTarget('/cameras/')).toEqual({ path: '/cameras', query: {} });
    expect(targetOf('/live', { a: undefined, b: '' })).toBe('/live');
    expect(sameTarget(target, { path: '/playback', query: {} })).toBe(false);
  });
});

describe('ShortcutReader', () => {
  const press = (key: string, ctrlKey = false) => ({ key, ctrlKey, metaKey: false, altKey: false });
  it('reads numbers, chords and the rest', () => {
    const reader = new ShortcutReader();
    expect(reader.read(press('4'), 0)).toEqual({ go: 'cameras' });
    expect(reader.read(press('9'), 0)).toBeUndefined();
    expect(reader.read(press('g'), 0)).toBeUndefined();
    expect(reader.read(press('e'), 500)).toEqual({ go: 'events' });
    expect(reader.read(press('e'), 600)).toBeUndefined();
    expect(reader.read(press('?'), 700)).toBe('help');
  });
  it('forgets a chord that is too old, and leaves the browser its own keys', () => {
    const reader = new ShortcutReader();
    reader.read(press('g'), 0);
    expect(reader.read(press('l'), 5000)).toBeUndefined();
    expect(reader.read(press('1', true), 0)).toBeUndefined();
  });
  it('tells pages that a chord has begun, so that they leave its letter alone', () => {
    const reader = new ShortcutReader();
    expect(reader.pending(0)).toBe(false);
    reader.read(press('g'), 0);
    expect(reader.pending(100)).toBe(true);
    expect(reader.read(press('s'), 100)).toEqual({ go: 'settings' });
    expect(reader.pending(200)).toBe(false);
  });
});

describe('pages', () => {
  it('have addresses that lead back to them, the library one for each shelf', () => {
    for (const page of PAGES) expect(pageOf(pagePath(page))).toBe(page);
    expect([pageOf('/snapshots'), pageOf('/exports'), shelfOf('/exports')]).toEqual(['library', 'library', 'exports']);
    expect([pageOf('/'), pageOf('/nowhere'), shelfOf('/live')]).toEqual(['live', undefined, undefined]);
  });
});

describe('units', () => {
  it('are short', () => {
    expect([0, 999, 1000, 1_234_567, 999_600_000, 412e9, 2e12].map(bytes)).toEqual(['0 B', '999 B', '1 KB', '1.2 MB', '1 GB', '412 GB', '2 TB']);
    expect([640.4, 999.6, 4200].map(bitrate)).toEqual(['640 kbit/s', '1.0 Mbit/s', '4.2 Mbit/s']);
    expect([15.02, 29.97, 12.5, 14.9].map(frameRate)).toEqual(['15 fps', '30 fps', '12.5 fps', '15 fps']);
  });
});
