// Continuous playback of one camera: feeds parts into the media element one after another, jumps
// over gaps, follows what is still being written, and says what it does.

import { BufferRefused, MediaBuffer, pause } from './buffer';
import { feed, type FeedHost } from './feeder';
import { Footage, type FootageSource } from './footage';
import type { Piece } from './mp4';
import { SilenceFiller } from './silence';
import { SoundRemover, played } from './sound';
import {
  GAP_MS, aheadTarget, families, isHeld, jumpTo, mimeOf, nextStart, previousStart, secondsAhead, trimTo, afterRefusal, type Choice, type Part, type Refused,
} from './stitch';

export type PlayState =
  /** Nothing chosen. */
  | 'idle'
  /** Looking for footage or waiting for its first bytes. */
  | 'loading'
  | 'playing'
  | 'paused'
  /** Bytes do not come as fast as they are played. */
  | 'buffering'
  /** All that was recorded has been played; more may come. */
  | 'waiting'
  /** There is no footage from here on. */
  | 'empty'
  /** This webview cannot play the codec. */
  | 'unsupported'
  /** The recorder does not answer; it is tried again. */
  | 'trouble';

export interface PlayView {
  state: PlayState;
  /** Milliseconds since 1970 of the picture shown, or asked for. */
  at: number | null;
  /** The part that cannot be played, when unsupported. */
  unsupported: Part | null;
  /** Which of two recordings of this time plays; null where there is one. */
  doubled: Choice | null;
}

export interface EngineListener {
  view(view: PlayView): void;
  /** A gap was jumped over. */
  skipped(from: number, to: number): void;
  /** Footage that the decoder refuses was left out. */
  undecodable(from: number, to: number): void;
  /** The element is about to lose its picture; keep a copy of it until the next. */
  freeze(): void;
}

const LOOK_MS = 80;
const STUCK_MS = 250;
const ROOM_POLL_MS = 200;
const END_POLL_MS = 1_000;
const TROUBLE_POLL_MS = 2_000;
/** How far behind the newest footage following begins: fragments reach the disk about once a second. */
export const FOLLOW_BEHIND_MS = 2_500;

export class PlaybackEngine {
  readonly #video: HTMLVideoElement;
  readonly #footage: Footage;
  readonly #listener: EngineListener;
  #buffer: MediaBuffer | null = null;
  #family = '';
  #running: AbortController | null = null;
  #wantsPlay = false;
  #speed = 1;
  #target: number | null = null;
  #feeding: Part | null = null;
  #phase: 'idle' | 'loading' | 'feeding' | 'end' | 'empty' | 'unsupported' | 'trouble' = 'idle';
  #unsupported: Part | null = null;
  #silence = new SilenceFiller();
  #remover = new SoundRemover();
  /** Where feeding of the first part begins, until its tracks are known. */
  #from: number | null = null;
  #lastJump = 0;
  #stood = { position: 0, since: 0 };
  #timer: ReturnType<typeof setInterval>;

  constructor(video: HTMLVideoElement, source: FootageSource, listener: EngineListener) {
    this.#video = video;
    this.#footage = new Footage(source);
    this.#listener = listener;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Moment of the picture shown, or asked for. */
  get at(): number | null {
    if (this.#target !== null || !this.#buffer) return this.#target;
    return this.#buffer.ms(this.#video.currentTime);
  }

  get wantsPlay(): boolean {
    return this.#wantsPlay;
  }

  play(): void {
    this.#wantsPlay = true;
    this.#look();
  }

  pause(): void {
    this.#wantsPlay = false;
    this.#video.pause();
    this.#look();
  }

  setSpeed(speed: number): void {
    this.#speed = speed;
    this.#video.defaultPlaybackRate = speed;
    this.#video.playbackRate = speed;
  }

  /** Shows a moment, or the first footage after it. */
  seek(ms: number): void {
    const buffer = this.#buffer;
    if (buffer && this.#phase !== 'unsupported' && this.#target === null && isHeld(buffer.ranges, buffer.seconds(ms))) {
      this.#video.currentTime = buffer.seconds(ms);
      this.#look();
      return;
    }
    this.#begin(ms);
  }

  /** Plays the newest footage and stays there. */
  follow(newest: number): void {
    this.#wantsPlay = true;
    this.seek(newest - FOLLOW_BEHIND_MS);
  }

  /** One picture forward or back, at the rate of the stream. */
  step(pictures: number, frameRate: number): void {
    this.pause();
    const at = this.at;
    if (at !== null) this.seek(at + (pictures * 1000) / Math.max(1, frameRate));
  }

  previous(): void {
    const at = this.at;
    if (at === null) return;
    this.seek(previousStart(this.#footage.parts, at) ?? at - 30_000);
  }

  next(): void {
    const at = this.at;
    if (at === null) return;
    const next = nextStart(this.#footage.parts, at);
    if (next !== null) this.seek(next);
  }

  /** Which recording plays where there are two of the same time. */
  choose(choice: Choice): void {
    if (choice === this.#footage.choice) return;
    this.#footage.choose(choice);
    const at = this.at;
    if (at !== null) this.#begin(at);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#running?.abort();
    this.#buffer?.close();
    this.#buffer = null;
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #begin(ms: number): void {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#target = ms;
    this.#phase = 'loading';
    this.#unsupported = null;
    this.#video.pause();
    this.#publish();
    void this.#keepRunning(ms, running.signal);
  }

  /** Runs until another seek; whatever goes wrong is tried again from where it stopped. */
  async #keepRunning(ms: number, signal: AbortSignal): Promise<void> {
    let from = ms;
    let refused: Refused | null = null;
    while (!signal.aborted) {
      try {
        await this.#run(from, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        // A buffer that refused is of no more use; anything else may be over in a moment.
        if (error instanceof BufferRefused || error instanceof DOMException) this.#dropBuffer();
        this.#phase = 'trouble';
        from = this.at ?? from;
        if (error instanceof BufferRefused) {
          const next = afterRefusal(refused, from, this.#footage.parts);
          refused = next.refused;
          if (next.to > from) this.#listener.undecodable(from, next.to);
          from = next.to;
        }
        this.#target = from;
        this.#publish();
        await pause(TROUBLE_POLL_MS, signal).catch(() => undefined);
      }
    }
  }

  async #run(ms: number, signal: AbortSignal): Promise<void> {
    let part = await this.#footage.at(ms, signal);
    while (!part) {
      this.#phase = 'empty';
      this.#publish();
      await pause(END_POLL_MS * 3, signal);
      part = await this.#footage.at(ms, signal);
    }
    let from = Math.max(ms, part.from);
    for (;;) {
      if (!MediaSource.isTypeSupported(mimeOf(codecsOf(part)))) {
        this.#phase = 'unsupported';
        this.#unsupported = part;
        this.#target = from;
        this.#publish();
        return;
      }
      await this.#enter(part, from, signal);
      const next = await this.#feedRun(part, from, signal);
      // Other tracks or codecs: play to the end of these, then begin anew.
      await this.#playedOut(signal);
      this.#said(this.at ?? from, next.from);
      part = next;
      from = next.from;
    }
  }

  /** Readies the buffer for a part and puts the element at the moment. */
  async #enter(part: Part, from: number, signal: AbortSignal): Promise<void> {
    this.#phase = 'loading';
    this.#target = from;
    const family = families(codecsOf(part));
    if (this.#buffer && (family !== this.#family || !this.#buffer.reaches(from))) this.#dropBuffer();
    if (this.#buffer) {
      await this.#buffer.clear(signal);
    } else {
      this.#buffer = new MediaBuffer(this.#video, from);
      this.#family = family;
      await this.#buffer.open(codecsOf(part), signal);
    }
    this.#video.defaultPlaybackRate = this.#speed;
    this.#video.playbackRate = this.#speed;
    this.#video.currentTime = this.#buffer.seconds(from);
    this.#phase = 'feeding';
    this.#publish();
  }

  /** Feeds parts until one needs another buffer, and answers that one. */
  async #feedRun(first: Part, from: number, signal: AbortSignal): Promise<Part> {
    let part = first;
    let at = from;
    this.#from = from;
    for (;;) {
      this.#feeding = part;
      this.#phase = 'feeding';
      const seen = await feed(part, at, this.#host, signal);
      const rest = this.#silence.rest();
      if (rest) await this.#append(rest, part, signal);
      let next = await this.#footage.after(seen ?? part, signal);
      while (!next) {
        this.#phase = 'end';
        await pause(END_POLL_MS, signal);
        next = await this.#footage.after(seen ?? part, signal);
      }
      if (families(codecsOf(next)) !== this.#family || !MediaSource.isTypeSupported(mimeOf(codecsOf(next)))) return next;
      if (this.#buffer && !this.#buffer.reaches(next.end)) return next;
      part = next;
      at = next.from;
    }
  }

  readonly #host: FeedHost = {
    take: async (whole, part, signal) => {
      const piece = codecsOf(part) === part.codecs ? whole : this.#remover.piece(whole);
      if (!piece) return;
      // The init has to come before its fragments, but takes no room.
      if (piece.kind === 'media') {
        await this.#room(part, signal);
        const silence = this.#silence.before(piece.bytes);
        if (silence) await this.#append(silence, part, signal);
      } else {
        this.#silence.init(piece.bytes, this.#from === null ? 0 : Math.max(0, this.#from - part.start) / 1000);
        this.#from = null;
      }
      await this.#append(piece.bytes, part, signal);
    },
    again: (part, signal) => this.#footage.again(part, signal),
    trouble: (message) => {
      if (message !== null) this.#phase = 'trouble';
      else if (this.#phase === 'trouble') this.#phase = 'feeding';
    },
  };

  async #room(part: Part, signal: AbortSignal): Promise<void> {
    const buffer = this.#buffer;
    while (buffer) {
      const position = this.#position(buffer);
      const trim = trimTo(buffer.ranges, position);
      if (trim !== null) await buffer.remove(0, trim, signal);
      if (secondsAhead(buffer.ranges, position) < aheadTarget(this.#speed, part)) return;
      await pause(ROOM_POLL_MS, signal);
    }
  }

  async #append(bytes: Piece['bytes'], part: Part, signal: AbortSignal): Promise<void> {
    for (;;) {
      const buffer = this.#buffer;
      if (!buffer) throw new BufferRefused('the buffer is gone');
      try {
        const window = {
          from: part.from > part.start ? part.from : null,
          until: part.until < part.end && !part.open ? part.until : null,
        };
        await buffer.append(bytes, part.start, window, signal);
        return;
      } catch (error) {
        if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') throw error;
        // The webview holds less than we would like: give up the past, then wait for the present.
        await buffer.remove(0, this.#position(buffer) - 2, signal);
        await pause(ROOM_POLL_MS, signal);
      }
    }
  }

  async #playedOut(signal: AbortSignal): Promise<void> {
    this.#phase = 'end';
    while (this.#buffer && secondsAhead(this.#buffer.ranges, this.#video.currentTime) > 0.1) {
      await pause(LOOK_MS, signal);
    }
    // A paused element stands on its last picture until a person goes on.
    while (!this.#wantsPlay) await pause(ROOM_POLL_MS, signal);
  }

  #position(buffer: MediaBuffer): number {
    return this.#target === null ? this.#video.currentTime : buffer.seconds(this.#target);
  }

  /** Looks where playing stands: starts it, jumps over gaps, tells the page. */
  #look(): void {
    const buffer = this.#buffer;
    const video = this.#video;
    if (buffer && this.#phase !== 'loading' && this.#phase !== 'unsupported') {
      const { ranges } = buffer;
      const position = this.#position(buffer);
      const held = isHeld(ranges, position);
      if (this.#target !== null) this.#arrive(ranges, position, held);
      else if (this.#wantsPlay) this.#jump(buffer, position);
      if (this.#wantsPlay && video.paused && (held || this.#target === null)) void video.play().catch(() => undefined);
    }
    this.#publish();
  }

  /** The target is reached once its picture is held; the first key frame may be a little after it. */
  #arrive(ranges: { start: number; end: number }[], position: number, held: boolean): void {
    if (held) {
      this.#target = null;
      return;
    }
    const first = ranges[0];
    if (first && first.start > position) {
      this.#video.currentTime = first.start + 0.001;
      this.#target = null;
    }
  }

  #jump(buffer: MediaBuffer, position: number): void {
    const now = performance.now();
    if (position !== this.#stood.position || this.#moves()) this.#stood = { position, since: now };
    const to = jumpTo(buffer.ranges, position, now - this.#stood.since > STUCK_MS);
    // The element needs a moment to get there.
    if (to === null || now - this.#lastJump < 200) return;
    this.#lastJump = now;
    this.#said(buffer.ms(position), buffer.ms(to));
    this.#video.currentTime = to + 0.001;
  }

  #said(from: number, to: number): void {
    if (to - from > GAP_MS * 2) this.#listener.skipped(from, to);
  }

  #dropBuffer(): void {
    if (!this.#buffer) return;
    this.#listener.freeze();
    this.#buffer.close();
    this.#buffer = null;
    this.#family = '';
  }

  #publish(): void {
    this.#listener.view({ state: this.#state(), at: this.at, unsupported: this.#unsupported, doubled: this.#doubled() });
  }

  #doubled(): Choice | null {
    const at = this.at;
    return at !== null && this.#footage.isDoubled(at) ? this.#footage.choice : null;
  }

  #state(): PlayState {
    switch (this.#phase) {
      case 'idle':
      case 'loading':
      case 'empty':
      case 'unsupported':
        return this.#phase;
      case 'trouble':
        return this.#moves() ? 'playing' : 'trouble';
      case 'feeding':
      case 'end':
        if (this.#target !== null) return 'loading';
        // Paused is a picture that stands: it can be taken.
        if (!this.#wantsPlay) return this.#video.seeking || this.#video.readyState < 2 ? 'loading' : 'paused';
        if (this.#moves()) return 'playing';
        return this.#phase === 'end' || this.#feeding?.open ? 'waiting' : 'buffering';
    }
  }

  #moves(): boolean {
    // HAVE_FUTURE_DATA: the next picture is there too.
    return this.#wantsPlay && !this.#video.paused && this.#video.readyState >= 3;
  }
}

/** What is played of a part. */
function codecsOf(part: Part): string {
  return played(part.codecs, (mime) => MediaSource.isTypeSupported(mime));
}
