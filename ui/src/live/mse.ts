// Live pictures and sound through Media Source Extensions: one-frame fragments into one buffer,
// held at the live edge.

import { ends, liveEdge } from './edge';
import type { LiveFrame, StartMessage } from './frame';
import { paint, type Sink, type SinkListener } from './sink';

const MAX_QUEUED_BYTES = 8 * 1024 * 1024;
const MAX_CAPTURE_TIMES = 512;
const EDGE_INTERVAL_MS = 100;

export function mseConstructor(): typeof MediaSource | null {
  // Safari on phones has only the managed kind, which is the same for our purpose.
  const managed = (globalThis as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource;
  return typeof MediaSource === 'function' ? MediaSource : (managed ?? null);
}

export function mimeOf(message: StartMessage): string {
  const codecs = message.audioCodec ? `${message.videoCodec}, ${message.audioCodec}` : message.videoCodec;
  return `video/mp4; codecs="${codecs}"`;
}

interface Capture {
  /** Media time, seconds. */
  time: number;
  captureMs: number;
}

export class MseSink implements Sink {
  readonly #video: HTMLVideoElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #listener: SinkListener;
  #source: MediaSource | null = null;
  #buffer: SourceBuffer | null = null;
  #objectUrl: string | null = null;
  #message: StartMessage | null = null;
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #queuedBytes = 0;
  #needsKey = true;
  #captures: Capture[] = [];
  #edgeTimer: ReturnType<typeof setInterval> | undefined;
  #frameCallback = 0;
  #shownFrames = 0;
  #closed = false;

  constructor(video: HTMLVideoElement, canvas: HTMLCanvasElement, listener: SinkListener) {
    this.#video = video;
    this.#canvas = canvas;
    this.#listener = listener;
    this.#edgeTimer = setInterval(() => this.#hold(), EDGE_INTERVAL_MS);
    video.addEventListener('error', this.#onError);
  }

  start(message: StartMessage): void {
    this.#detach();
    this.#message = message;
    const Constructor = mseConstructor();
    if (!Constructor || !Constructor.isTypeSupported(mimeOf(message))) {
      this.#listener.failed('decoder', `cannot play ${mimeOf(message)}`);
      return;
    }
    const source = new Constructor();
    this.#source = source;
    source.addEventListener('sourceopen', () => this.#opened(source), { once: true });
    this.#objectUrl = URL.createObjectURL(source);
    this.#video.disableRemotePlayback = true;
    this.#video.src = this.#objectUrl;
    this.#watchFrames();
  }

  feed(frame: LiveFrame): void {
    if (!this.#source || this.#closed) return;
    if (frame.kind === 'video') {
      if (this.#needsKey && !frame.key) return;
      this.#needsKey = false;
      this.#remember(frame);
    } else if (frame.kind === 'audio' && this.#needsKey) {
      return;
    }
    if (this.#queuedBytes > MAX_QUEUED_BYTES) {
      // The decoder cannot follow: start over at the next key frame. The init segment stays.
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#needsKey = true;
      return;
    }
    this.#queue.push(frame.payload);
    this.#queuedBytes += frame.payload.byteLength;
    this.#pump();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#edgeTimer);
    this.#video.removeEventListener('error', this.#onError);
    this.#detach();
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #onError = (): void => {
    if (!this.#closed && this.#source) this.#fail(this.#video.error?.message ?? 'media error');
  };

  #opened(source: MediaSource): void {
    if (this.#source !== source || !this.#message) return;
    try {
      const buffer = source.addSourceBuffer(mimeOf(this.#message));
      buffer.mode = 'segments';
      buffer.addEventListener('updateend', () => this.#pump());
      this.#buffer = buffer;
    } catch (error) {
      this.#fail(String(error));
      return;
    }
    void this.#video.play().catch(() => {
      // Sound without a gesture is refused by some webviews; silent pictures are not.
      this.#video.muted = true;
      void this.#video.play().catch(() => undefined);
    });
    this.#pump();
  }

  #pump(): void {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#queue.length === 0 || this.#source?.readyState !== 'open') return;
    const bytes = joined(this.#queue, this.#queuedBytes);
    this.#queue = [];
    this.#queuedBytes = 0;
    try {
      buffer.appendBuffer(bytes);
    } catch (error) {
      if (error instanceof DOMException && error.name === 'QuotaExceededError') this.#makeRoom(buffer);
      else this.#fail(String(error));
    }
  }

  #makeRoom(buffer: SourceBuffer): void {
    this.#needsKey = true;
    const until = this.#video.currentTime - 1;
    if (!buffer.updating && until > 0) buffer.remove(0, until);
  }

  #hold(): void {
    const buffer = this.#buffer;
    const video = this.#video;
    if (!buffer || this.#closed || this.#source?.readyState !== 'open') return;
    const { first, last } = ends(buffer.buffered);
    const move = liveEdge(video.currentTime, video.playbackRate, first, last);
    if (move.seekTo !== null && !video.seeking) video.currentTime = move.seekTo;
    if (video.playbackRate !== move.rate) video.playbackRate = move.rate;
    if (move.trimTo !== null && !buffer.updating) buffer.remove(0, move.trimTo);
    if (video.paused && last) void video.play().catch(() => undefined);
    if (!hasFrameCallback(video)) this.#countFrames();
  }

  #remember(frame: LiveFrame): void {
    const scale = this.#message?.videoTimescale ?? 90_000;
    this.#captures.push({ time: frame.time / scale, captureMs: frame.captureMs });
    if (this.#captures.length > MAX_CAPTURE_TIMES) this.#captures.shift();
  }

  #captureAt(time: number): number {
    let found = 0;
    for (let i = this.#captures.length - 1; i >= 0; i--) {
      const capture = this.#captures[i];
      if (capture && capture.time <= time + 0.001) {
        found = capture.captureMs;
        this.#captures.splice(0, i);
        break;
      }
    }
    return found;
  }

  #watchFrames(): void {
    const video = this.#video;
    if (!hasFrameCallback(video)) return;
    video.cancelVideoFrameCallback(this.#frameCallback);
    const next = (_now: number, data: { mediaTime: number }): void => {
      if (this.#closed) return;
      this.#frameCallback = video.requestVideoFrameCallback(next);
      this.#listener.shown(this.#captureAt(data.mediaTime));
    };
    this.#frameCallback = video.requestVideoFrameCallback(next);
  }

  #countFrames(): void {
    const total = this.#video.getVideoPlaybackQuality().totalVideoFrames;
    for (; this.#shownFrames < total; this.#shownFrames++) {
      this.#listener.shown(this.#captureAt(this.#video.currentTime));
    }
    this.#shownFrames = total;
  }

  #fail(cause: string): void {
    this.#detach();
    this.#listener.failed('decoder', cause);
  }

  #detach(): void {
    const video = this.#video;
    if (this.#source && video.readyState >= 2) paint(this.#canvas, video, video.videoWidth, video.videoHeight);
    if (hasFrameCallback(video)) video.cancelVideoFrameCallback(this.#frameCallback);
    this.#source = null;
    this.#buffer = null;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#captures = [];
    this.#shownFrames = 0;
    this.#needsKey = true;
    if (this.#objectUrl) URL.revokeObjectURL(this.#objectUrl);
    this.#objectUrl = null;
  }
}

function hasFrameCallback(video: HTMLVideoElement): boolean {
  return typeof video.requestVideoFrameCallback === 'function';
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[], bytes: number): Uint8Array<ArrayBuffer> {
  const only = parts[0];
  if (parts.length === 1 && only) return only;
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}
