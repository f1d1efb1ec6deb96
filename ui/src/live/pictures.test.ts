import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pictures, waitOf, type PicturesInput } from './pictures';

type Reply = () => Response | Promise<Response>;

const picture = (captured: number): Reply => () =>
  new Response(new Blob(['jpeg']), { status: 200, headers: { 'X-Oriel-Captured': String(captured) } });
const empty = (status: number, headers: Record<string, string> = {}): Reply => () => new Response(null, { status, headers });

function setUp(replies: Reply[]) {
  const asked: { address: string; at: number; signal: AbortSignal }[] = [];
  const told: string[] = [];
  let last: Reply | undefined;
  vi.stubGlobal('fetch', async (address: string, init: RequestInit) => {
    asked.push({ address, at: Date.now(), signal: init.signal as AbortSignal });
    last = replies.shift() ?? last;
    if (!last) throw new TypeError('nothing to answer');
    return last();
  });
  let renewed = 0;
  const input: PicturesInput = {
    address: 'http://r/jpeg?token=0',
    renew: () => Promise.resolve(`http://r/jpeg?token=${++renewed}`),
    draw: () => Promise.resolve(),
    listener: {
      heard: () => undefined,
      shown: (captured, first) => told.push(`shown ${captured}${first ? ' first' : ''}`),
      none: () => told.push('none'),
      gone: () => told.push('gone'),
      failed: () => told.push('failed'),
    },
  };
  return { asked, told, input };
}

describe('Pictures', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('asks once a second and tells when each was taken', async () => {
    const { asked, told, input } = setUp([picture(1), picture(2), picture(3)]);
    const pictures = new Pictures(input);
    await vi.advanceTimersByTimeAsync(2_500);
    pictures.close();
    expect(told).toEqual(['shown 1 first', 'shown 2', 'shown 3']);
    expect(asked.map((a) => a.at - 1_000_000)).toEqual([0, 1_000, 2_000]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked.length).toBe(3);
  });

  it('does not take the same picture for a new one, and says when none comes', async () => {
    const { told, input } = setUp([picture(7)]);
    const pictures = new Pictures(input);
    await vi.advanceTimersByTimeAsync(4_500);
    expect(told).toEqual(['shown 7 first']);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual(['shown 7 first', 'none']);
    pictures.close();
  });

  it('waits as long as the recorder asks when there is none', async () => {
    const { asked, told, input } = setUp([empty(204), empty(503, { 'Retry-After': '4' }), picture(9)]);
    const pictures = new Pictures(input);
    await vi.advanceTimersByTimeAsync(5_500);
    expect(told).toEqual(['none', 'none', 'shown 9 first']);
    expect(asked.map((a) => a.at - 1_000_000)).toEqual([0, 1_000, 5_000]);
    pictures.close();
  });

  it('renews its token before it expires, and at once when it is refused', async () => {
    const { asked, input } = setUp([picture(1), empty(401), picture(2)]);
    const pictures = new Pictures(input);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(asked.map((a) => a.address.at(-1))).toEqual(['0', '0', '1']);
    await vi.advanceTimersByTimeAsync(9 * 60_000);
    expect(asked.at(-1)?.address.at(-1)).toBe('2');
    pictures.close();
  });

  it('ends with a removed channel, a broken connection and a picture that is none', async () => {
    for (const [replies, expected] of [
      [[empty(404)], 'gone'],
      [[empty(500)], 'failed'],
      [[() => Promise.reject(new TypeError('down'))], 'failed'],
    ] as [Reply[], string][]) {
      const { asked, told, input } = setUp(replies);
      new Pictures(input);
      await vi.advanceTimersByTimeAsync(5_000);
      expect([told, asked.length]).toEqual([[expected], 1]);
    }
    const { told, input } = setUp([picture(1)]);
    new Pictures({ ...input, draw: () => Promise.reject(new Error('not a picture')) });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(told).toEqual(['failed']);
  });

  it('gives a request up after ten seconds', async () => {
    const { asked, told, input } = setUp([]);
    vi.stubGlobal('fetch', (address: string, { signal }: { signal: AbortSignal }) => {
      asked.push({ address, at: Date.now(), signal });
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new DOMException('ended', 'AbortError'))));
    });
    new Pictures(input);
    await vi.advanceTimersByTimeAsync(9_900);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(told).toEqual(['failed']);
  });

  it('ends its request when it is closed', async () => {
    const { asked, told, input } = setUp([() => new Promise<Response>(() => undefined)]);
    const pictures = new Pictures(input);
    await vi.advanceTimersByTimeAsync(100);
    pictures.close();
    expect(asked[0]?.signal.aborted).toBe(true);
    expect(told).toEqual([]);
  });
});

it('reads how long to wait', () => {
  expect([waitOf(null), waitOf('0'), waitOf('4'), waitOf('9999'), waitOf('Mon')]).toEqual([1_000, 1_000, 4_000, 30_000, 1_000]);
});
