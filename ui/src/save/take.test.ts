import { beforeEach, describe, expect, it, vi } from 'vitest';
import { useTransport } from '../api/call';
import { ApiError } from '../api/error';
import type { OperationName } from '../api/routes';
import { askSnapshot, keepSnapshot, sendSnapshot, type TakeParts } from './take';
import { texts } from './texts';

vi.mock('../shell', () => ({ mediaUrl: (path: string) => new URL(path, 'http://recorder:8642').href }));

const base = { snapshot_id: 'aaaaaaaaaaaa', channel_id: 'cccccccccccc', taken: '2026-11-21T13:00:00Z', source: 'client' };
let asked: [OperationName, Record<string, unknown>][] = [];
let answers: Partial<Record<OperationName, unknown[]>> = {};
let sent: { url: string; init: RequestInit | undefined }[] = [];
let stored: () => Promise<Response>;
const parts: TakeParts = {
  fetch: ((url: string, init?: RequestInit) => {
    sent.push({ url, init });
    return stored();
  }) as typeof fetch,
  sleep: () => Promise.resolve(),
};
const picture = new Blob([new Uint8Array([0xff, 0xd8])], { type: 'image/jpeg' });

beforeEach(() => {
  asked = [];
  sent = [];
  stored = () => Promise.resolve(new Response(null, { status: 200 }));
  answers = {
    snapshot_create: [{ ...base, status: 'pending', upload_url: '/api/objects/snapshots/c/1.jpg?sig=x', upload_headers: { 'content-type': 'image/jpeg', 'x-amz-checksum': 'y' } }],
    snapshot_confirm: [{ ...base, status: 'stored', url: '/api/objects/snapshots/c/1.jpg?sig=z' }],
    snapshot_delete: [{}],
  };
  useTransport({
    call: (op, input) => {
      asked.push([op, input]);
      const answer = answers[op]?.shift();
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  });
});

describe('a picture of this page', () => {
  it('has its entry first, is sent with the headers asked for, then confirmed', async () => {
    const snapshot = await sendSnapshot('cccccccccccc', Date.parse(base.taken), picture, parts);
    expect(asked.map(([op]) => op)).toEqual(['snapshot_create', 'snapshot_confirm']);
    expect(asked[0]?.[1]).toEqual({ id: 'cccccccccccc', source: 'client', taken: '2026-11-21T13:00:00.000Z' });
    expect(sent[0]?.url).toBe('http://recorder:8642/api/objects/snapshots/c/1.jpg?sig=x');
    expect(sent[0]?.init).toMatchObject({ method: 'PUT', body: picture });
    // Each once, as it was signed, however it is spelled.
    expect([...new Headers(sent[0]?.init?.headers)]).toEqual([['content-type', 'image/jpeg'], ['x-amz-checksum', 'y']]);
    expect(snapshot.status).toBe('stored');
  });
  it('that the store refuses leaves no entry, and the number is said', async () => {
    stored = () => Promise.resolve(new Response(null, { status: 403 }));
    await expect(sendSnapshot('cccccccccccc', 0, picture, parts)).rejects.toThrow(texts.snapshot.refused(403));
    expect(asked.map(([op]) => op)).toEqual(['snapshot_create', 'snapshot_delete']);
  });
  it('that does not get through says so', async () => {
    stored = () => Promise.reject(new TypeError('Failed to fetch'));
    await expect(sendSnapshot('cccccccccccc', 0, picture, parts)).rejects.toThrow(texts.snapshot.unsent);
  });
  it('that is too large is never announced', async () => {
    const huge = new Blob([new Uint8Array(8 * 1024 * 1024 + 1)]);
    await expect(sendSnapshot('cccccccccccc', 0, huge, parts)).rejects.toThrow(texts.snapshot.tooLarge);
    expect(asked).toEqual([]);
  });
  it('shows the first fault when tidying up fails too', async () => {
    answers.snapshot_confirm = [new ApiError('precondition_failed', 'The picture has not arrived.')];
    answers.snapshot_delete = [new ApiError('unreachable', 'gone')];
    await expect(sendSnapshot('cccccccccccc', 0, picture, parts)).rejects.toThrow('The picture has not arrived.');
  });
});

describe('a picture of the recorder', () => {
  it('is waited for', async () => {
    answers.snapshot_create = [{ ...base, source: 'agent', status: 'pending' }];
    answers.snapshot_get = [{ ...base, status: 'pending' }, { ...base, status: 'stored', url: '/x' }];
    expect((await askSnapshot('cccccccccccc', parts)).url).toBe('/x');
    expect(asked[0]?.[1]).toEqual({ id: 'cccccccccccc', source: 'agent' });
  });
  it('that failed says why', async () => {
    answers.snapshot_create = [{ ...base, status: 'failed', reason: 'The camera does not answer.' }];
    await expect(askSnapshot('cccccccccccc', parts)).rejects.toThrow('The camera does not answer.');
  });
  it('that never comes is not waited for forever', async () => {
    answers.snapshot_create = [{ ...base, status: 'pending' }];
    answers.snapshot_get = Array.from({ length: 1000 }, () => ({ ...base, status: 'pending' }));
    await expect(askSnapshot('cccccccccccc', parts)).rejects.toThrow(texts.snapshot.late);
  });
});

describe('the best picture of a moment', () => {
  const shown = { channel: 'cccccccccccc', taken: Date.parse(base.taken), picture, orNow: true };
  const sources = (): unknown[] => asked.filter(([op]) => op === 'snapshot_create').map(([, input]) => input.source);
  it('is what is shown', async () => {
    await keepSnapshot(shown, parts);
    expect(sources()).toEqual(['client']);
  });
  it("is the recorder's when what is shown is small or cannot be read", async () => {
    const larger = { ...base, source: 'agent', status: 'stored' };
    answers.snapshot_create = [larger, larger];
    await keepSnapshot({ ...shown, small: true }, parts);
    await keepSnapshot({ ...shown, picture: null }, parts);
    expect(sources()).toEqual(['agent', 'agent']);
    expect(sent).toEqual([]);
  });
  it('is the small one when the recorder has none', async () => {
    answers.snapshot_create?.unshift(new ApiError('unavailable', 'no picture'));
    const snapshot = await keepSnapshot({ ...shown, small: true }, parts);
    expect(sources()).toEqual(['agent', 'client']);
    expect(snapshot.status).toBe('stored');
  });
  it('is never one of now when the moment is past', async () => {
    await expect(keepSnapshot({ ...shown, picture: null, orNow: false }, parts)).rejects.toThrow(texts.snapshot.unreadable);
    await keepSnapshot({ ...shown, small: true, orNow: false }, parts);
    expect(sources()).toEqual(['client']);
  });
});
