// Keys that work everywhere. Pages have their own; those come first when they handle the event.

import { PAGES, type Page } from './pages';

export type Shortcut = { go: Page } | 'help' | 'rail';

/** `g` and then a letter. */
export const GO_KEYS: Readonly<Record<Page, string>> = { live: 'l', playback: 'p', library: 'i', cameras: 'c', events: 'e', storage: 'd', settings: 's' };

/** How long `g` waits for its letter, in milliseconds. */
const CHORD_MS = 1200;

export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** Turns presses into shortcuts. Holds the `g` of a chord between two presses. */
export class ShortcutReader {
  #chordUntil = 0;

  /** Whether the next press belongs to a chord; pages then leave it alone. */
  pending(now: number): boolean {
    return now < this.#chordUntil;
  }

  /** The shortcut this press completes. `now` in milliseconds. */
  read(press: Press, now: number): Shortcut | undefined {
    if (press.ctrlKey || press.metaKey || press.altKey) return undefined;
    const chord = now < this.#chordUntil;
    this.#chordUntil = 0;
    const key = press.key.toLowerCase();
    if (chord) {
      const page = PAGES.find((p) => GO_KEYS[p] === key);
      if (page !== undefined) return { go: page };
    }
    if (key === 'g') {
      this.#chordUntil = now + CHORD_MS;
      return undefined;
    }
    if (key === '?') return 'help';
    if (key === '[') return 'rail';
    const page = /^[1-9]$/.test(key) ? PAGES[Number(key) - 1] : undefined;
    return page === undefined ? undefined : { go: page };
  }
}

/** The reader of this page. */
export const shortcutReader = new ShortcutReader();

/** Whether a press belongs to what is being typed in or chosen from. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest('input, textarea, select, [role="dialog"], [role="menu"], [role="listbox"]') !== null;
}
