// One live stream on one surface: runs the state machine against sockets, sinks and the clock.

import { abilities, hears, learn } from './abilities';
import { parseFrame, parseMessage, type Quality, type StartMessage } from './frame';
import { INITIAL, CLOSE_CHANNEL_REMOVED, brokenAt, step, type LiveEvent, type LiveState, type Phase, type Trouble } from './machine';
import { Meter } from './meter';
import { MseSink } from './mse';
import { Pictures, drawOn } from './pictures';
import { choosePlan, samePlan, type Fallback, type Plan, type Profile, type Wish } from './plan';
import type { Sink, Surface } from './sink';
import { WebCodecsSink } from './webcodecs';

/** What a tile shows of its player. */
export interface LiveView {
  phase: Phase;
  trouble: Trouble | null;
  retryAt: number;
  plan: Plan;
  /** Encoding that is really served. */
  quality: Quality;
  width: number;
  height: number;
  codec: string | null;
  audible: boolean;
  painted: number;
  delayMs: number | null;
  fps: number;
  kbps: number;
  /** When the picture that stands there was shown; null before the first. */
  pictureAt: number | null;
  skipped: number;
  fallbacks: Fallback[];
}

export interface StreamAddress {
  /** Absolute address of the socket, token included. */
  socket: string;
  /** Absolute address of the newest picture. */
  pictures: string;
}

export interface PlayerInput {
  surface: Surface;
  /** A fresh signed address; called for every attempt. */
  address: () => Promise<StreamAddress>;
  onview: (view: LiveView) => void;
}

const TICK_MS = 250;

export class LivePlayer {
  readonly #input: PlayerInput;
  #state: LiveState = INITIAL;
  #promised: readonly Profile[] = [];
  /** Encodings as they were really served, which outweighs what was promised. */
  #seen = new Map<Quality, Profile>();
  #wish: Wish = { tileWidth: 0, large: false, audio: false };
  #plan: Plan = { quality: 'high', transport: 'webcodecs', audio: false, fallbacks: [] };
  #start: StartMessage | null = null;
  #bFrames = false;
  #skipped = 0;
  #meter = new Meter();
  #socket: WebSocket | null = null;
  #sink: Sink | null = null;
  #pictures: Pictures | null = null;
  #attempt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(input: PlayerInput) {
    this.#input = input;
  }

  /** What is known of the camera's encodings. A better plan is taken at once. */
  setProfiles(profiles: readonly Profile[]): void {
    if (JSON.stringify(profiles) === JSON.stringify(this.#promised)) return;
    this.#promised = profiles;
    this.#seen.clear();
    this.#learn();
  }

  setWish(wish: Wish): void {
    this.#wish = wish;
    this.#replan();
  }

  play(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    this.#happen({ type: 'play', now: Date.now() });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#happen({ type: 'stop' });
  }

  /** Tries again now instead of waiting for the next attempt. */
  retryNow(): void {
    this.#happen({ type: 'replan', now: Date.now() });
  }

  #tick(): void {
    const now = Date.now();
    this.#happen({ type: 'tick', transport: this.#plan.transport, now });
    // A transport that broke is tried again when its time is over.
    this.#replan();
    this.#publish();
  }

  #happen(event: LiveEvent): void {
    const before = this.#state.phase;
    const { state, commands } = step(this.#state, event, Math.random());
    this.#state = state;
    for (const command of commands) {
      if (command === 'connect') void this.#connect();
      else this.#disconnect();
    }
    if (state.phase !== before) this.#publish();
  }

  #choose(): Plan {
    const broken = brokenAt(this.#state, Date.now());
    return choosePlan(this.#profiles(), this.#wish, abilities(), broken, this.#bFrames);
  }

  #replan(): void {
    const { phase } = this.#state;
    if (phase === 'stopped' || phase === 'retrying' || phase === 'gone') return;
    const plan = this.#choose();
    if (samePlan(plan, this.#plan)) {
      this.#plan = plan;
      return;
    }
    this.#happen({ type: 'replan', now: Date.now() });
  }

  async #connect(): Promise<void> {
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#plan = this.#choose();
    this.#meter.restart();
    const plan = this.#plan;
    let address: StreamAddress;
    try {
      address = await this.#input.address();
    } catch {
      if (attempt === this.#attempt) this.#failed('refused');
      return;
    }
    if (attempt !== this.#attempt) return;
    if (plan.transport === 'jpeg') this.#openPictures(address.pictures, plan);
    else this.#openSocket(address.socket, plan, attempt);
  }

  #openSocket(address: string, plan: Plan, attempt: number): void {
    const listener = {
      shown: (captureMs: number): void => {
        if (attempt === this.#attempt) this.#shown(captureMs);
      },
      failed: (trouble: Trouble): void => {
        if (attempt === this.#attempt) this.#failed(trouble);
      },
    };
    const { canvas, video } = this.#input.surface;
    const sink = plan.transport === 'mse' ? new MseSink(video, canvas, listener) : new WebCodecsSink(canvas, listener);
    this.#sink = sink;
    const url = new URL(address);
    url.searchParams.set('quality', plan.quality);
    url.searchParams.set('mode', plan.transport === 'mse' ? 'fragments' : 'frames');
    url.searchParams.set('audio', plan.audio ? '1' : '0');
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onmessage = (event: MessageEvent<ArrayBuffer | string>) => {
      if (attempt !== this.#attempt) return;
      if (typeof event.data === 'string') this.#text(event.data, sink);
      else this.#binary(event.data, sink);
    };
    socket.onclose = (event) => {
      if (attempt === this.#attempt) this.#happen({ type: 'closed', code: event.code, now: Date.now() });
    };
  }

  #openPictures(address: string, plan: Plan): void {
    const { canvas } = this.#input.surface;
    const of = (signed: string): string => {
      const url = new URL(signed);
      url.searchParams.set('quality', plan.quality);
      return url.href;
    };
    // What a socket said before does not describe these.
    this.#start = null;
    this.#pictures = new Pictures({
      address: of(address),
      renew: async () => of((await this.#input.address()).pictures),
      draw: (picture) => drawOn(canvas, picture),
      listener: {
        heard: (bytes) => {
          this.#meter.received(Date.now(), bytes);
          this.#happen({ type: 'heard', now: Date.now() });
        },
        // Whether the first is old only its own time tells; later ones are new when they come.
        shown: (capturedMs, first) => this.#shown(capturedMs, first && capturedMs > 0 ? capturedMs : undefined),
        none: () => this.#happen({ type: 'standing', now: Date.now() }),
        gone: () => this.#happen({ type: 'closed', code: CLOSE_CHANNEL_REMOVED, now: Date.now() }),
        failed: () => this.#failed('closed'),
      },
    });
  }

  #text(text: string, sink: Sink): void {
    const message = parseMessage(text);
    const now = Date.now();
    switch (message?.type) {
      case 'waiting':
        this.#happen({ type: 'standing', now });
        break;
      case 'skipped':
        this.#skipped += message.frames;
        break;
      case 'start':
        this.#start = message;
        this.#bFrames = false;
        this.#happen({ type: 'started', now });
        // A track that is not understood would cost the pictures too; they are asked for alone.
        if (message.audioCodec === null || hears(message.audioCodec)) sink.start(message);
        this.#checkCodec(message);
        break;
      case undefined:
        this.#failed('unreadable');
    }
  }

  /** The stream may differ from what its profile promised; learn from what is there. */
  #checkCodec(message: StartMessage): void {
    const known = this.#profiles().find((p) => p.quality === message.quality);
    const unheard = message.audioCodec !== null && !hears(message.audioCodec);
    if (known?.codec === message.videoCodec && !unheard) return;
    const hasAudio = !unheard && (message.audioCodec !== null || (known?.hasAudio ?? true));
    this.#seen.set(message.quality, { quality: message.quality, codec: message.videoCodec, hasAudio });
    this.#learn();
  }

  #profiles(): Profile[] {
    const unseen = this.#promised.filter((p) => !this.#seen.has(p.quality));
    return [...unseen, ...this.#seen.values()];
  }

  #learn(): void {
    const codecs = this.#profiles().flatMap((p) => (p.codec ? [p.codec] : []));
    void Promise.all(codecs.map(learn)).then(() => this.#replan());
  }

  #binary(data: ArrayBuffer, sink: Sink): void {
    const now = Date.now();
    const frame = parseFrame(data);
    if (!frame) {
      this.#failed('unreadable');
      return;
    }
    this.#happen({ type: 'heard', now });
    this.#meter.received(now, data.byteLength);
    if (frame.kind === 'init' && this.#plan.transport === 'webcodecs') {
      // Asked for frames and got fragments: pictures of this run come out of order.
      this.#bFrames = true;
      this.#replan();
      return;
    }
    sink.feed(frame);
  }

  #shown(captureMs: number, takenAt?: number): void {
    const now = Date.now();
    this.#meter.shown(now, captureMs);
    this.#happen({ type: 'picture', now, ...(takenAt === undefined ? {} : { at: takenAt }) });
  }

  #failed(trouble: Trouble): void {
    this.#happen({ type: 'failed', trouble, transport: this.#plan.transport, now: Date.now() });
  }

  #disconnect(): void {
    this.#attempt += 1;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#sink?.close();
    this.#sink = null;
    this.#pictures?.close();
    this.#pictures = null;
  }

  #publish(): void {
    const { phase, trouble, retryAt, pictureAt } = this.#state;
    const now = Date.now();
    this.#input.onview({
      phase,
      trouble,
      retryAt,
      plan: this.#plan,
      quality: this.#start?.quality ?? this.#plan.quality,
      width: this.#start?.width ?? 0,
      height: this.#start?.height ?? 0,
      codec: this.#start?.videoCodec ?? null,
      audible: this.#plan.audio && (this.#start?.audioCodec ?? null) !== null,
      painted: this.#meter.painted,
      delayMs: this.#meter.delayMs,
      ...this.#meter.rates(now),
      pictureAt,
      skipped: this.#skipped,
      fallbacks: this.#reasons(),
    });
  }

  #reasons(): Fallback[] {
    const served = this.#start?.quality;
    if (this.#state.phase !== 'playing' || !served || served === this.#plan.quality) return this.#plan.fallbacks;
    return [...this.#plan.fallbacks, { kind: 'served_other', quality: served }];
  }
}
