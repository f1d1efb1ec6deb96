// The last resort: one JPEG a second, in an image that the server keeps replacing.

import { paint, type Surface } from './sink';

const LOOK_MS = 500;
const SAMPLE_WIDTH = 32;
const SAMPLE_HEIGHT = 18;

export interface PicturesListener {
  heard(): void;
  shown(): void;
  failed(): void;
}

export class Pictures {
  readonly #surface: Surface;
  readonly #listener: PicturesListener;
  readonly #sample = document.createElement('canvas');
  #timer: ReturnType<typeof setInterval> | undefined;
  #last = '';

  constructor(surface: Surface, address: string, listener: PicturesListener) {
    this.#surface = surface;
    this.#listener = listener;
    this.#sample.width = SAMPLE_WIDTH;
    this.#sample.height = SAMPLE_HEIGHT;
    const { image } = surface;
    image.onload = () => listener.heard();
    image.onerror = () => listener.failed();
    image.src = address;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    const { image } = this.#surface;
    image.onload = null;
    image.onerror = null;
    // Only an empty address ends the request; removing the attribute alone does not everywhere.
    image.src = 'data:,';
    image.removeAttribute('src');
  }

  /** A replaced image fires no event everywhere, so the picture itself is compared. */
  #look(): void {
    const { image, canvas } = this.#surface;
    if (image.naturalWidth === 0) return;
    const context = this.#sample.getContext('2d', { willReadFrequently: true });
    if (!context) return;
    let look: string;
    try {
      context.drawImage(image, 0, 0, SAMPLE_WIDTH, SAMPLE_HEIGHT);
      look = context.getImageData(0, 0, SAMPLE_WIDTH, SAMPLE_HEIGHT).data.join();
    } catch {
      // Pictures of another origin may be shown but not read; then being there has to do.
      this.#listener.shown();
      return;
    }
    if (look === this.#last) return;
    this.#last = look;
    paint(canvas, image, image.naturalWidth, image.naturalHeight);
    this.#listener.shown();
  }
}
