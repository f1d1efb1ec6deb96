// What turns frames of a live socket into pictures. Two make: WebCodecs on a canvas, MSE in a video.

import type { LiveFrame, StartMessage } from './frame';
import type { Trouble } from './machine';

export interface Sink {
  /** A run begins; what was fed before belongs to the run before. */
  start(message: StartMessage): void;
  feed(frame: LiveFrame): void;
  /** Lets go of decoders and buffers. The last picture stays where it is. */
  close(): void;
}

export interface SinkListener {
  /** A picture reached the page. */
  shown(captureMs: number): void;
  /** Nothing more will come of this sink. */
  failed(trouble: Trouble, cause: string): void;
}

/** Where pictures go. The canvas lies under the video and keeps the last picture of any transport. */
export interface Surface {
  canvas: HTMLCanvasElement;
  video: HTMLVideoElement;
}

/** Paints a picture of a source that has one; the canvas takes its size. */
export function paint(canvas: HTMLCanvasElement, source: CanvasImageSource, width: number, height: number): boolean {
  if (width <= 0 || height <= 0) return false;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d', { alpha: false });
  if (!context) return false;
  context.drawImage(source, 0, 0, width, height);
  return true;
}
