// A media element fed by hand: one MediaSource, one SourceBuffer, every operation awaited.

import { mimeOf, type Range } from './stitch';

/** Media time of the first moment played, so that earlier moments can be reached too. */
const LEAD_MS = 7 * 24 * 3_600_000;
const SPAN_MS = 2 * LEAD_MS;

export class BufferRefused extends Error {
  override name = 'BufferRefused';
}

export class MediaBuffer {
  readonly #video: HTMLVideoElement;
  readonly #source: MediaSource;
  readonly #objectUrl: string;
  #buffer: SourceBuffer | null = null;
  /** Wall-clock time of media time zero, milliseconds. */
  readonly zero: number;

  /** Attaches to the element. `around` is the first moment that will be played. */
  constructor(video: HTMLVideoElement, around: number) {
    this.#video = video;
    this.zero = around - LEAD_MS;
    this.#source = new MediaSource();
    this.#objectUrl = URL.createObjectURL(this.#source);
    video.src = this.#objectUrl;
  }

  /** Whether a moment has a place on this buffer's scale. */
  reaches(ms: number): boolean {
    return ms >= this.zero && ms < this.zero + SPAN_MS;
  }

  async open(codecs: string, signal: AbortSignal): Promise<void> {
    if (this.#source.readyState !== 'open') await happened(this.#source, 'sourceopen', null, signal);
    // With an unknown duration the element would refuse to seek where nothing is buffered yet.
    this.#source.duration = SPAN_MS / 1000;
    const buffer = this.#source.addSourceBuffer(mimeOf(codecs));
    buffer.mode = 'segments';
    this.#buffer = buffer;
  }

  seconds(ms: number): number {
    return (ms - this.zero) / 1000;
  }

  ms(seconds: number): number {
    return this.zero + seconds * 1000;
  }

  get ranges(): Range[] {
    const found: Range[] = [];
    if (!this.#buffer || this.#source.readyState === 'closed') return found;
    const { buffered } = this.#buffer;
    for (let i = 0; i < buffered.length; i++) found.push({ start: buffered.start(i), end: buffered.end(i) });
    return found;
  }

  /** Bytes go in so that their zero is at `from`; nothing outside of the window is taken. Throws QuotaExceededError when full. */
  async append(bytes: Uint8Array<ArrayBuffer>, from: number, window: { from: number | null; until: number | null }, signal: AbortSignal): Promise<void> {
    const buffer = await this.#idle(signal);
    const offset = this.seconds(from);
    if (buffer.timestampOffset !== offset) {
      buffer.abort();
      buffer.timestampOffset = offset;
    }
    const begin = window.from === null ? 0 : this.seconds(window.from);
    const end = window.until === null ? Number.POSITIVE_INFINITY : this.seconds(window.until);
    if (buffer.appendWindowStart !== begin || buffer.appendWindowEnd !== end) {
      // The start must lie before the end at every step.
      buffer.appendWindowStart = 0;
      buffer.appendWindowEnd = end;
      buffer.appendWindowStart = begin;
    }
    buffer.appendBuffer(bytes);
    await happened(buffer, 'updateend', 'error', signal);
    if (this.#video.error) throw new BufferRefused(this.#video.error.message);
  }

  async remove(fromSeconds: number, toSeconds: number, signal: AbortSignal): Promise<void> {
    if (toSeconds <= fromSeconds) return;
    const buffer = await this.#idle(signal);
    buffer.remove(fromSeconds, toSeconds);
    await happened(buffer, 'updateend', 'error', signal);
  }

  /** Everything out, and whatever was half appended forgotten. */
  async clear(signal: AbortSignal): Promise<void> {
    const buffer = this.#buffer;
    if (!buffer) return;
    if (this.#source.readyState === 'open') buffer.abort();
    await this.remove(0, Number.POSITIVE_INFINITY, signal);
  }

  close(): void {
    this.#buffer = null;
    URL.revokeObjectURL(this.#objectUrl);
  }

  async #idle(signal: AbortSignal): Promise<SourceBuffer> {
    const buffer = this.#buffer;
    if (!buffer || this.#source.readyState !== 'open') throw new BufferRefused('the buffer is closed');
    while (buffer.updating) await happened(buffer, 'updateend', null, signal);
    return buffer;
  }
}

function happened(target: EventTarget, event: string, failure: string | null, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (finish: () => void) => (): void => {
      target.removeEventListener(event, ok);
      if (failure) target.removeEventListener(failure, bad);
      signal.removeEventListener('abort', aborted);
      finish();
    };
    const ok = done(resolve);
    const bad = done(() => reject(new BufferRefused('the bytes were refused')));
    const aborted = done(() => reject(new DOMException('Aborted', 'AbortError')));
    target.addEventListener(event, ok);
    if (failure) target.addEventListener(failure, bad);
    signal.addEventListener('abort', aborted);
    if (signal.aborted) aborted();
  });
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    const aborted = (): void => {
      clearTimeout(timer);
      reject(new DOMException('Aborted', 'AbortError'));
    };
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
  });
}
