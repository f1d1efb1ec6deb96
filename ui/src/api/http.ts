// Operations over HTTP, signed in by a session cookie. Every write carries the CSRF token.

import { ApiError, refusalOf } from './error';
import { routes, type OperationName } from './routes';
import type { Transport } from './call';

/** Fields in a path or a query are text, numbers or switches; nothing else is in the document. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

type Fields = Record<string, unknown>;

export interface HttpRequest {
  method: string;
  path: string;
  body: string | undefined;
}

/** Puts the fields of an input where its route wants them: path, then query or body. */
export function requestOf(op: OperationName, input: Fields): HttpRequest {
  const [method, template] = routes[op];
  const rest: Fields = { ...input };
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = rest[name];
    delete rest[name];
    return encodeURIComponent(asText(value));
  });
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  if (method === 'GET' || method === 'DELETE') {
    const query = new URLSearchParams();
    for (const [name, value] of given) if (value !== null) query.set(name, asText(value));
    const text = query.toString();
    return { method, path: text === '' ? path : `${path}?${text}`, body: undefined };
  }
  return { method, path, body: JSON.stringify(Object.fromEntries(given)) };
}

/** Who the recorder thinks we are. */
export interface Session {
  signed_in: boolean;
  csrf?: string | null;
}

export interface HttpOptions {
  fetch?: typeof fetch;
  /** Called when the session has ended. */
  signedOut?: () => void;
}

/** The HTTP transport and the session behind it. */
export class HttpTransport implements Transport {
  #csrf: string | undefined;
  readonly #fetch: typeof fetch;
  readonly #signedOut: () => void;

  constructor(options: HttpOptions = {}) {
    this.#fetch = options.fetch ?? ((...args) => globalThis.fetch(...args));
    this.#signedOut = options.signedOut ?? (() => undefined);
  }

  /** Asks whether the cookie is good, and learns the CSRF token. */
  async session(): Promise<boolean> {
    const response = await this.#send('/api/session', { method: 'GET', headers: { Accept: 'application/json' } });
    if (response.status === 401) return false;
    if (!response.ok) throw await refusalOf(response);
    const session = (await response.json()) as Session;
    this.#csrf = session.csrf ?? undefined;
    return session.signed_in;
  }

  async call(op: OperationName, input: Fields, signal?: AbortSignal): Promise<unknown> {
    const request = requestOf(op, input);
    let response = await this.#operation(request, signal);
    // The recorder was restarted and made new CSRF tokens: learn the new one and try once more.
    if (response.status === 403 && request.method !== 'GET' && (await this.#renewed())) {
      response = await this.#operation(request, signal);
    }
    if (!response.ok) {
      const error = await refusalOf(response);
      if (error.code === 'unauthenticated') this.#signedOut();
      throw error;
    }
    return response.status === 204 ? {} : response.json();
  }

  async #renewed(): Promise<boolean> {
    const before = this.#csrf;
    return (await this.session()) && this.#csrf !== before;
  }

  #operation({ method, path, body }: HttpRequest, signal?: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (method !== 'GET' && this.#csrf !== undefined) headers['X-Oriel-CSRF'] = this.#csrf;
    return this.#send(path, { method, headers, body: body ?? null, signal: signal ?? null });
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    try {
      return await this.#fetch(path, { credentials: 'same-origin', cache: 'no-store', ...init });
    } catch (thrown) {
      if (init.signal?.aborted) throw new ApiError('cancelled', 'Cancelled.');
      throw new ApiError('unreachable', 'The recorder does not answer.', String(thrown));
    }
  }
}
