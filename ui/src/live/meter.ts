// Numbers a tile shows about its stream: delay, rate, bitrate. Pure; times in milliseconds.

const WINDOW_MS = 3_000;

/** Counts pictures and bytes over the last seconds and smooths the delay. */
export class Meter {
  #samples: { at: number; bytes: number; pictures: number }[] = [];
  #delay: number | null = null;
  #painted = 0;

  get painted(): number {
    return this.#painted;
  }

  /** Smoothed milliseconds between capture and display, null before the first picture. */
  get delayMs(): number | null {
    return this.#delay === null ? null : Math.round(this.#delay);
  }

  received(now: number, bytes: number): void {
    this.#add(now, bytes, 0);
  }

  shown(now: number, captureMs: number): void {
    this.#painted += 1;
    this.#add(now, 0, 1);
    if (captureMs <= 0) return;
    // The clock of the recorder may differ from ours; a picture from the future is "no delay".
    const delay = Math.max(0, now - captureMs);
    const jumped = this.#delay !== null && Math.abs(delay - this.#delay) > 1_000;
    this.#delay = this.#delay === null || jumped ? delay : this.#delay + 0.1 * (delay - this.#delay);
  }

  /** A new connection: rates start anew, the count of pictures goes on. */
  restart(): void {
    this.#samples = [];
    this.#delay = null;
  }

  rates(now: number): { fps: number; kbps: number } {
    this.#trim(now);
    const first = this.#samples[0];
    if (!first) return { fps: 0, kbps: 0 };
    const span = Math.max(1_000, now - first.at);
    let bytes = 0;
    let pictures = 0;
    for (const s of this.#samples) {
      bytes += s.bytes;
      pictures += s.pictures;
    }
    return { fps: (pictures * 1000) / span, kbps: (bytes * 8) / span };
  }

  #add(now: number, bytes: number, pictures: number): void {
    const last = this.#samples.at(-1);
    // Tenths of a second are fine enough and keep the list short.
    if (last && now - last.at < 100) {
      last.bytes += bytes;
      last.pictures += pictures;
    } else {
      this.#samples.push({ at: now, bytes, pictures });
      this.#trim(now);
    }
  }

  #trim(now: number): void {
    while (this.#samples[0] && this.#samples[0].at < now - WINDOW_MS) this.#samples.shift();
  }
}
