// What somebody kept of a channel: protected ranges and marked moments, for the timeline.

import { call } from '../api/call';
import type { Event, Protection } from '../api/types';
import { recorder } from '../lib/recorder.svelte';
import { ms } from '../lib/time';
import type { Span } from './day';

export interface ProtectedSpan extends Span {
  id: string;
  note: string;
}

export interface Mark {
  id: string;
  at: number;
  note: string;
}

/** Marks are events; older ones than so many events back are not shown. */
const EVENTS = 500;

export function toSpan({ id, start, end, note }: Protection): ProtectedSpan {
  return { id, start: ms(start) ?? 0, end: ms(end) ?? 0, note };
}

/** The mark an event is; undefined for other events. */
export function toMark(event: Event): Mark | undefined {
  const at = ms(event.at);
  if (event.kind !== 'marked' || at === undefined) return undefined;
  return { id: event.id, at, note: event.reason?.message ?? '' };
}

export class ChannelKeeps {
  protections: readonly ProtectedSpan[] = $state.raw([]);
  marks: readonly Mark[] = $state.raw([]);
  #channel: string | null = null;
  #round = 0;

  /** Shows what another channel has. The timeline works without it, so a failure is silent. */
  async load(channel: string): Promise<void> {
    const round = ++this.#round;
    if (channel !== this.#channel) {
      this.#channel = channel;
      this.protections = [];
      this.marks = [];
    }
    const [protections, events] = await Promise.allSettled([
      call('protection_list', { id: channel }),
      call('event_list', { channel_id: channel, limit: EVENTS }),
    ]);
    if (round !== this.#round) return;
    if (protections.status === 'fulfilled') this.protections = protections.value.items.map(toSpan);
    if (events.status === 'fulfilled') this.marks = events.value.items.map(toMark).filter((mark) => mark !== undefined);
  }

  protect(protection: Protection): void {
    this.protections = [...this.protections.filter((p) => p.id !== protection.id), toSpan(protection)];
  }

  lift(id: string): void {
    this.protections = this.protections.filter((p) => p.id !== id);
  }

  /** Follows changes. Returns what ends it. */
  follow(): () => void {
    return recorder.onChange((change) => {
      if (change.type === 'resync' && this.#channel !== null) void this.load(this.#channel);
      if (change.type !== 'event' || change.event.channel_id !== this.#channel) return;
      const mark = toMark(change.event);
      if (mark !== undefined) this.marks = [...this.marks.filter((m) => m.id !== mark.id), mark];
    });
  }
}
