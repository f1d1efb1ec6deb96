// The last resort: single JPEG pictures, asked for one after another. Each is a request of its
// own that ends, so that a wall of tiles does not hold all connections a browser opens per host.

import { paint } from './sink';

/** No more than one picture a second. */
const EVERY_MS = 1_000;
/** A request that takes longer is given up. */
const DEADLINE_MS = 10_000;
/** Tokens live ten minutes. */
const RENEW_MS = 8 * 60_000;
/** Without a newer picture for this long there is none. */
const STANDS_MS = 5_000;
const LONGEST_WAIT_MS = 30_000;
const CAPTURED = 'X-Oriel-Captured';

export interface PicturesListener {
  /** The recorder answered; so many bytes came. */
  heard(bytes: number): void;
  /** A new picture is on the canvas. `capturedMs` is 0 when the recorder did not say. */
  shown(capturedMs: number, first: boolean): void;
  /** There is no new picture, and the recorder says so. */
  none(): void;
  /** The channel was removed. */
  gone(): void;
  failed(): void;
}

export interface PicturesInput {
  /** Signed address of the newest picture. */
  address: string;
  /** The same under a fresh token. */
  renew: () => Promise<string>;
  /** Brings a picture to the page; throws when it is none. */
  draw: (picture: Blob) => Promise<void>;
  listener: PicturesListener;
}

export class Pictures {
  readonly #input: PicturesInput;
  readonly #closing = new AbortController();
  #address: string;
  #signedAt = Date.now();
  #captured = 0;
  #any = false;
  #shownAt = Date.now();

  constructor(input: PicturesInput) {
    this.#input = input;
    this.#address = input.address;
    void this.#run();
  }

  close(): void {
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      const began = Date.now();
      let wait: number | null;
      try {
        wait = await this.#once();
      } catch {
        if (!signal.aborted) this.#input.listener.failed();
        return;
      }
      if (signal.aborted || wait === null) return;
      await slept(Math.max(0, wait - (Date.now() - began)), signal);
      if (signal.aborted) return;
    }
  }

  /** One request. Answers the milliseconds from its start to the next, null when there is none. */
  async #once(): Promise<number | null> {
    await this.#keepSigned();
    const request = new AbortController();
    const end = (): void => request.abort();
    // The answer's body is read within it too.
    const deadline = setTimeout(end, DEADLINE_MS);
    this.#closing.signal.addEventListener('abort', end);
    try {
      return await this.#exchange(request.signal);
    } finally {
      clearTimeout(deadline);
      this.#closing.signal.removeEventListener('abort', end);
    }
  }

  async #exchange(signal: AbortSignal): Promise<number | null> {
    const { listener } = this.#input;
    let response = await this.#ask(signal);
    if (response.status === 401 || response.status === 403) {
      await discard(response);
      await this.#renew();
      response = await this.#ask(signal);
    }
    if (this.#closing.signal.aborted) return null;
    if (response.status === 200) {
      await this.#take(response);
      return EVERY_MS;
    }
    await discard(response);
    if (response.status === 404 || response.status === 410) {
      listener.gone();
      return null;
    }
    if (response.status !== 204 && response.status !== 429 && response.status !== 503) {
      throw new Error(`the recorder answers ${response.status}`);
    }
    listener.none();
    return waitOf(response.headers.get('Retry-After'));
  }

  async #take(response: Response): Promise<void> {
    const { listener, draw } = this.#input;
    const captured = Number(response.headers.get(CAPTURED)) || 0;
    const blob = await response.blob();
    if (this.#closing.signal.aborted) return;
    listener.heard(blob.size);
    if (captured > 0 && captured === this.#captured) {
      // The same picture again is not a new one.
      if (Date.now() - this.#shownAt >= STANDS_MS) listener.none();
      return;
    }
    await draw(blob);
    if (this.#closing.signal.aborted) return;
    const first = !this.#any;
    this.#any = true;
    this.#captured = captured;
    this.#shownAt = Date.now();
    listener.shown(captured, first);
  }

  #ask(signal: AbortSignal): Promise<Response> {
    return fetch(this.#address, { signal, cache: 'no-store', credentials: 'omit' });
  }

  async #keepSigned(): Promise<void> {
    if (Date.now() - this.#signedAt < RENEW_MS) return;
    // The old one still works for a while; an answer of 401 ends that.
    await this.#renew().catch(() => undefined);
  }

  async #renew(): Promise<void> {
    this.#address = await this.#input.renew();
    this.#signedAt = Date.now();
  }
}

/** Decodes a picture and puts it on the canvas. */
export async function drawOn(canvas: HTMLCanvasElement, picture: Blob): Promise<void> {
  const bitmap = await createImageBitmap(picture);
  try {
    paint(canvas, bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/** Milliseconds to wait as a `Retry-After` in seconds asks. */
export function waitOf(retryAfter: string | null): number {
  const seconds = Number(retryAfter);
  if (retryAfter === null || !Number.isFinite(seconds)) return EVERY_MS;
  return Math.min(LONGEST_WAIT_MS, Math.max(EVERY_MS, seconds * 1000));
}

async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

function slept(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
