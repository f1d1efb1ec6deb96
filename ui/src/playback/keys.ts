// What the keys of the playback page do.

export type PlaybackKey =
  | 'toggle' | 'back' | 'forward' | 'longBack' | 'longForward' | 'frameBack' | 'frameForward' | 'slower' | 'faster' | 'closer' | 'wider'
  | 'previous' | 'next' | 'newest' | 'sound' | 'full' | 'begin' | 'end' | 'clear' | 'clip' | 'mark' | 'snapshot';

const KEYS: Readonly<Record<string, PlaybackKey>> = {
  ' ': 'toggle', k: 'toggle', ArrowLeft: 'back', ArrowRight: 'forward', ',': 'frameBack', '.': 'frameForward', '<': 'slower', '>': 'faster',
  '+': 'closer', '=': 'closer', '-': 'wider', PageUp: 'previous', PageDown: 'next', End: 'newest', m: 'sound', f: 'full', i: 'begin', o: 'end',
  Escape: 'clear', c: 'clip', b: 'mark', s: 'snapshot',
};
const SHIFTED: Partial<Record<PlaybackKey, PlaybackKey>> = { back: 'longBack', forward: 'longForward' };

/** What a press asks for; undefined when it is not one of this page. */
export function playbackKey(press: { key: string; shiftKey: boolean }): PlaybackKey | undefined {
  const key = Object.hasOwn(KEYS, press.key) ? KEYS[press.key] : undefined;
  return key !== undefined && press.shiftKey ? (SHIFTED[key] ?? key) : key;
}
