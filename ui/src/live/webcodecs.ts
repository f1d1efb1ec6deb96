// Live pictures with the least delay: VideoDecoder, newest picture onto the canvas at once.

import type { LiveFrame, StartMessage } from './frame';
import { paint, type Sink, type SinkListener } from './sink';

/** Pictures the decoder may owe before we wait for the next key frame. The first group of a long-GOP camera comes at once and must fit. */
const MAX_OWED = 300;
const MAX_CAPTURE_TIMES = 1024;

export function webcodecsPresent(): boolean {
  return typeof VideoDecoder === 'function' && typeof EncodedVideoChunk === 'function';
}

export class WebCodecsSink implements Sink {
  readonly #canvas: HTMLCanvasElement;
  readonly #listener: SinkListener;
  #decoder: VideoDecoder | null = null;
  #timescale = 90_000;
  #needsKey = true;
  /** Capture time by the timestamp given to the decoder. */
  #captures = new Map<number, number>();
  #pending: VideoFrame | null = null;
  #paintedThisTurn = false;
  #paintedAt = 0;
  #turn = 0;
  #closed = false;

  constructor(canvas: HTMLCanvasElement, listener: SinkListener) {
    this.#canvas = canvas;
    this.#listener = listener;
  }

  start(message: StartMessage): void {
    this.#dropDecoder();
    this.#timescale = message.videoTimescale;
    const decoder = new VideoDecoder({
      output: (frame) => {
        if (this.#decoder === decoder) this.#take(frame);
        else frame.close();
      },
      error: (error) => {
        if (this.#decoder === decoder) this.#fail(error.message);
      },
    });
    this.#decoder = decoder;
    this.#needsKey = true;
    try {
      decoder.configure({
        codec: message.videoCodec,
        description: message.videoConfig,
        optimizeForLatency: true,
        ...(message.width > 0 && message.height > 0
          ? { codedWidth: message.width, codedHeight: message.height }
          : {}),
      });
    } catch (error) {
      this.#fail(String(error));
    }
  }

  feed(frame: LiveFrame): void {
    const decoder = this.#decoder;
    if (!decoder || frame.kind !== 'video' || decoder.state !== 'configured') return;
    if (decoder.decodeQueueSize > MAX_OWED) this.#needsKey = true;
    if (this.#needsKey && !frame.key) return;
    this.#needsKey = false;
    const timestamp = Math.round((frame.time * 1_000_000) / this.#timescale);
    this.#captures.set(timestamp, frame.captureMs);
    if (this.#captures.size > MAX_CAPTURE_TIMES) {
      const oldest = this.#captures.keys().next();
      if (!oldest.done) this.#captures.delete(oldest.value);
    }
    try {
      decoder.decode(
        new EncodedVideoChunk({ type: frame.key ? 'key' : 'delta', timestamp, data: frame.payload }),
      );
    } catch (error) {
      this.#fail(String(error));
    }
  }

  close(): void {
    this.#closed = true;
    this.#dropDecoder();
    cancelAnimationFrame(this.#turn);
  }

  #take(frame: VideoFrame): void {
    this.#pending?.close();
    this.#pending = frame;
    // One painting per display turn, the first at once: waiting for the turn would cost up to a
    // turn of delay, painting each of a burst would cost time for pictures nobody sees. A hidden
    // page has no turns, so time alone also allows one.
    if (!this.#paintedThisTurn || performance.now() - this.#paintedAt > 100) this.#paint();
  }

  #paint(): void {
    const frame = this.#pending;
    if (!frame) return;
    this.#pending = null;
    const captureMs = this.#captureOf(frame.timestamp);
    const done = paint(this.#canvas, frame, frame.displayWidth, frame.displayHeight);
    frame.close();
    if (!done) return;
    this.#paintedAt = performance.now();
    if (!this.#paintedThisTurn) {
      this.#paintedThisTurn = true;
      this.#turn = requestAnimationFrame(() => {
        this.#paintedThisTurn = false;
        if (!this.#closed) this.#paint();
      });
    }
    this.#listener.shown(captureMs);
  }

  #captureOf(timestamp: number): number {
    const captureMs = this.#captures.get(timestamp) ?? 0;
    for (const key of this.#captures.keys()) {
      if (key > timestamp) break;
      this.#captures.delete(key);
    }
    return captureMs;
  }

  #fail(cause: string): void {
    this.#dropDecoder();
    this.#listener.failed('decoder', cause);
  }

  #dropDecoder(): void {
    const decoder = this.#decoder;
    this.#decoder = null;
    this.#pending?.close();
    this.#pending = null;
    this.#captures.clear();
    if (decoder && decoder.state !== 'closed') decoder.close();
  }
}
