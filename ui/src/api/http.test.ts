import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { call, useTransport } from './call';
import { ApiError, asApiError } from './error';
import { HttpTransport, requestOf } from './http';
import { routes } from './routes';

type Reply = { status: number; body?: unknown };
interface Seen {
  path: string;
  method: string;
  headers: Record<string, string>;
  body: string | null;
}

/** A recorder that answers what it was told to, in turn. */
function recorder(replies: Reply[]) {
  const seen: Seen[] = [];
  const fake = ((path: string, init: RequestInit) => {
    seen.push({ path, method: init.method ?? '', headers: init.headers as Record<string, string>, body: init.body as string | null });
    const reply = replies.shift();
    if (reply === undefined) return Promise.reject(new TypeError('no route to host'));
    return Promise.resolve(new Response(reply.body === undefined ? 'not json' : JSON.stringify(reply.body), { status: reply.status }));
  }) as typeof fetch;
  return { seen, fake };
}

async function failureOf(promise: Promise<unknown>): Promise<ApiError> {
  try {
    await promise;
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ApiError);
    return thrown as ApiError;
  }
  throw new Error('it should have failed');
}

describe('routes', () => {
  it('are those of the OpenAPI document', () => {
    const document = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')) as {
      paths: Record<string, Record<string, { operationId: string }>>;
    };
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => [operationId, [method.toUpperCase(), path]] as const),
    );
    expect(Object.fromEntries(documented)).toEqual(routes);
  });
});

describe('requestOf', () => {
  it('puts ids into the path, escaped', () => {
    expect(requestOf('camera_get', { id: 'a/../b c' })).toEqual({ method: 'GET', path: '/api/cameras/a%2F..%2Fb%20c', body: undefined });
  });
  it('puts the rest of a reading into the query, without what is absent', () => {
    expect(requestOf('event_list', { limit: 5, after: null, channel_id: undefined }).path).toBe('/api/events?limit=5');
    expect(requestOf('camera_delete', { id: 'x', delete_recordings: true }).path).toBe('/api/cameras/x?delete_recordings=true');
  });
  it('puts the rest of a writing into the body', () => {
    const { path, body } = requestOf('camera_update', { id: 'x', username: '', password: 'p@ss:w/rd#%' });
    expect(path).toBe('/api/cameras/x');
    expect(JSON.parse(body ?? '')).toEqual({ username: '', password: 'p@ss:w/rd#%' });
  });
});

describe('HttpTransport', () => {
  it('sends the CSRF token with writes only', async () => {
    const { seen, fake } = recorder([
      { status: 200, body: { signed_in: true, csrf: 'c1' } },
      { status: 200, body: { items: [] } },
      { status: 200, body: { items: [] } },
    ]);
    const transport = new HttpTransport({ fetch: fake });
    expect(await transport.session()).toBe(true);
    await transport.call('camera_list', {});
    await transport.call('demo_add', {});
    expect(seen.map((s) => s.headers['X-Oriel-CSRF'])).toEqual([undefined, undefined, 'c1']);
  });

  it('learns a new CSRF token and tries once more', async () => {
    const { seen, fake } = recorder([
      { status: 403, body: { error: { code: 'permission_denied', message: 'no' } } },
      { status: 200, body: { signed_in: true, csrf: 'c2' } },
      { status: 200, body: { items: [] } },
    ]);
    await new HttpTransport({ fetch: fake }).call('demo_add', {});
    expect(seen.at(-1)?.headers['X-Oriel-CSRF']).toBe('c2');
  });

  it('does not try again when the token was right', async () => {
    const refused = { status: 403, body: { error: { code: 'permission_denied', message: 'Not yours.' } } };
    const { seen, fake } = recorder([{ status: 200, body: { signed_in: true, csrf: 'c1' } }, refused, { status: 200, body: { signed_in: true, csrf: 'c1' } }]);
    const transport = new HttpTransport({ fetch: fake });
    await transport.session();
    const error = await failureOf(transport.call('demo_add', {}));
    expect(error.code).toBe('permission_denied');
    expect(seen).toHaveLength(3);
  });

  it('tells errors of the recorder as they are', async () => {
    const { fake } = recorder([{ status: 502, body: { error: { code: 'camera_unreachable', message: 'No.', detail: { reason: 'timeout' } } } }]);
    const error = await failureOf(new HttpTransport({ fetch: fake }).call('camera_list', {}));
    expect([error.code, error.message, error.reason]).toEqual(['camera_unreachable', 'No.', 'timeout']);
  });

  it('says when the session ended', async () => {
    let ended = 0;
    const { fake } = recorder([{ status: 401, body: { error: { code: 'unauthenticated', message: 'Sign in.' } } }, { status: 401 }]);
    const transport = new HttpTransport({ fetch: fake, signedOut: () => (ended += 1) });
    expect((await failureOf(transport.call('camera_list', {}))).code).toBe('unauthenticated');
    expect((await failureOf(transport.call('camera_list', {}))).code).toBe('unauthenticated');
    expect(ended).toBe(2);
  });

  it('tells a recorder that is away from one that refuses', async () => {
    const { fake } = recorder([{ status: 500 }]);
    const transport = new HttpTransport({ fetch: fake });
    expect((await failureOf(transport.call('camera_list', {}))).code).toBe('internal');
    expect((await failureOf(transport.call('camera_list', {}))).code).toBe('unreachable');
  });

  it('tells a call that was given up', async () => {
    const controller = new AbortController();
    const fake = ((_: string, init: RequestInit) =>
      new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error)))) as typeof fetch;
    const running = failureOf(new HttpTransport({ fetch: fake }).call('camera_probe', { url: 'rtsp://x' }, controller.signal));
    controller.abort();
    expect((await running).code).toBe('cancelled');
  });
});

describe('call', () => {
  it('turns whatever a transport throws into an ApiError', async () => {
    // As the window's command does: a plain object.
    const refusal: unknown = { code: 'conflict', message: 'There is one already.' };
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    useTransport({ call: () => Promise.reject(refusal) });
    const error = await failureOf(call('camera_list'));
    expect([error.code, error.message]).toEqual(['conflict', 'There is one already.']);
  });
  it('does not trust codes it does not know', () => {
    expect(asApiError({ code: 'strange', message: 'x' }).code).toBe('internal');
    expect(asApiError('text').message).toBe('text');
  });
});
