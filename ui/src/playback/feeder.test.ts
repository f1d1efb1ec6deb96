import { afterEach, describe, expect, it, vi } from 'vitest';
import { feed, type FeedHost } from './feeder';
import type { Part } from './stitch';

const box = (type: string, size: number): number[] => [0, 0, 0, size, ...[...type].map((c) => c.charCodeAt(0)), ...new Array<number>(size - 8).fill(0)];
const fragment = [...box('moof', 16), ...box('mdat', 24)];
const file = [...box('ftyp', 16), ...box('moov', 24), ...fragment, ...fragment, ...fragment];
const HEAD = 40;

const part: Part = { start: 0, end: 3_000, run: 1, from: 0, until: 3_000, bytes: file.length, open: false, codecs: 'avc1.64001f', url: 'http://x/a' };

interface Told {
  ends: number[];
  requests: string[];
}

/** Answers requests one after another with what the script says of the file. */
function served(script: ((offset: number) => Response | 'break')[]): Told {
  const told: Told = { ends: [], requests: [] };
  vi.stubGlobal('fetch', (url: string, init: { headers: { Range: string } }) => {
    const range = init.headers.Range;
    told.requests.push(`${url} ${range}`);
    const answer = script.shift()?.(Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0)) ?? 'break';
    return answer === 'break' ? Promise.reject(new TypeError('network')) : Promise.resolve(answer);
  });
  return told;
}

const bytes = (from: number, to: number): Response => new Response(new Uint8Array(file.slice(from, to)), { status: 206 });

function host(told: Told, again: (p: Part) => Part | null): FeedHost {
  return {
    take: (piece) => {
      told.ends.push(piece.end);
      return Promise.resolve();
    },
    again: (p) => Promise.resolve(again(p)),
    trouble: () => undefined,
  };
}

const never = new AbortController().signal;

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('feed', () => {
  it('feeds a closed part whole, in fragments', async () => {
    const told = served([(at) => bytes(at, file.length)]);
    expect(await feed(part, 0, host(told, (p) => p), never)).toBe(part);
    expect(told.ends).toEqual([HEAD, HEAD + 40, HEAD + 80, HEAD + 120]);
    expect(told.requests).toEqual(['http://x/a bytes=0-']);
  });

  it('goes on behind the last whole fragment after a broken connection', async () => {
    vi.useFakeTimers();
    const broken = (): Response =>
      new Response(
        new ReadableStream<Uint8Array>({
          start: (c) => c.enqueue(new Uint8Array(file.slice(0, HEAD + 50))),
          pull: (c) => c.error(new TypeError('network')),
        }, { highWaterMark: 0 }),
        { status: 206 },
      );
    const told = served([broken, () => 'break', (at) => bytes(at, file.length)]);
    const done = feed(part, 0, host(told, (p) => p), never);
    await vi.runAllTimersAsync();
    expect(await done).toBe(part);
    expect(told.ends).toEqual([HEAD, HEAD + 40, HEAD + 80, HEAD + 120]);
    expect(told.requests.slice(1)).toEqual([`http://x/a bytes=${HEAD + 40}-`, `http://x/a bytes=${HEAD + 40}-`]);
  });

  it('follows a part that grows until it is closed, and asks for nothing that is known', async () => {
    vi.useFakeTimers();
    const grown: Part[] = [
      { ...part, open: true, bytes: HEAD + 40 },
      { ...part, open: true, bytes: HEAD + 80 },
      { ...part, url: 'http://x/b' },
    ];
    const told = served([(at) => bytes(at, HEAD + 40), (at) => bytes(at, HEAD + 80), (at) => bytes(at, file.length)]);
    const done = feed({ ...part, open: true, bytes: HEAD + 40 }, 0, host(told, () => grown.shift() ?? null), never);
    await vi.runAllTimersAsync();
    expect((await done)?.open).toBe(false);
    expect(told.ends).toEqual([HEAD, HEAD + 40, HEAD + 80, HEAD + 120]);
    expect(told.requests).toEqual(['http://x/a bytes=0-', `http://x/a bytes=${HEAD + 40}-`, `http://x/b bytes=${HEAD + 80}-`]);
  });

  it('takes a fresh address when the old one has expired', async () => {
    const told = served([() => new Response(null, { status: 403 }), (at) => bytes(at, file.length)]);
    await feed(part, 0, host(told, (p) => ({ ...p, url: 'http://x/fresh' })), never);
    expect(told.requests).toEqual(['http://x/a bytes=0-', 'http://x/fresh bytes=0-']);
  });

  it('gives up a part whose bytes are gone', async () => {
    const told = served([() => new Response(null, { status: 404 })]);
    expect(await feed(part, 0, host(told, (p) => p), never)).toBeNull();
  });

  it('does not take a fresh signature for bytes that came back', async () => {
    const told = served([() => new Response(null, { status: 404 })]);
    const signed = { ...part, url: 'http://x/a?exp=1' };
    expect(await feed(signed, 0, host(told, (p) => ({ ...p, url: 'http://x/a?exp=2' })), never)).toBeNull();
    expect(told.requests.length).toBe(1);
  });

  it('waits for a part at the live edge that is nowhere for a moment', async () => {
    vi.useFakeTimers({ now: 10_000 });
    const missing = (): Response => new Response(null, { status: 404 });
    const told = served([(at) => bytes(at, HEAD + 40), missing, missing, (at) => bytes(at, file.length)]);
    const open = { ...part, open: true, bytes: HEAD + 40 };
    const lists: (Part | null)[] = [{ ...open, bytes: HEAD + 80 }, null, { ...part, url: 'http://x/a?2' }, part];
    const done = feed(open, 0, host(told, () => lists.shift() ?? null), never);
    await vi.runAllTimersAsync();
    expect(await done).not.toBeNull();
    expect(told.ends).toEqual([HEAD, HEAD + 40, HEAD + 80, HEAD + 120]);
  });

  it('gives up a part at the live edge that stays away', async () => {
    vi.useFakeTimers({ now: 10_000 });
    const missing = (): Response => new Response(null, { status: 404 });
    const told = served(Array.from({ length: 50 }, () => missing));
    const done = feed(part, 0, host(told, () => null), never);
    await vi.runAllTimersAsync();
    expect(await done).toBeNull();
    expect(told.requests.length).toBe(13);
    expect(Date.now() - 10_000).toBeGreaterThanOrEqual(5_000);
  });

  it('copes with a server that ignores Range', async () => {
    vi.useFakeTimers();
    const told = served([(at) => bytes(at, HEAD + 40), () => new Response(new Uint8Array(file), { status: 200 })]);
    const open = { ...part, open: true, bytes: HEAD + 40 };
    const done = feed(open, 0, host(told, () => part), never);
    await vi.runAllTimersAsync();
    await done;
    expect(told.ends).toEqual([HEAD, HEAD + 40, HEAD + 80, HEAD + 120]);
  });

  it('ends at once when the viewer seeks elsewhere', async () => {
    const seek = new AbortController();
    const told = served([(at) => bytes(at, file.length)]);
    const waiting: FeedHost = {
      ...host(told, (p) => p),
      take: (_piece, _part, signal) =>
        new Promise((_, refuse) => {
          signal.addEventListener('abort', () => refuse(new DOMException('Aborted', 'AbortError')));
          seek.abort();
        }),
    };
    const done = feed(part, 0, waiting, seek.signal);
    await expect(done).rejects.toThrow();
  });
});
