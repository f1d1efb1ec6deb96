import { describe, expect, it } from 'vitest';
import { playbackKey } from './keys';

const press = (key: string, shiftKey = false): { key: string; shiftKey: boolean } => ({ key, shiftKey });

describe('keys of playback', () => {
  it.each([
    [press(' '), 'toggle'],
    [press('ArrowLeft'), 'back'],
    [press('ArrowLeft', true), 'longBack'],
    [press('>', true), 'faster'],
    [press('+', true), 'closer'],
    [press('i'), 'begin'],
    [press('o'), 'end'],
    [press('Escape'), 'clear'],
  ])('%j', (event, key) => expect(playbackKey(event)).toBe(key));
  it.each(['x', 'toString', 'F', 'Tab'])('%s is left alone', (key) => expect(playbackKey(press(key))).toBeUndefined());
});
