import { describe, expect, it } from 'vitest';
import { readPlaces, savePlaces } from './places';

function storage(content: string | null): { value: string | null; getItem: () => string | null; setItem: (k: string, v: string) => void } {
  return {
    value: content,
    getItem() {
      return this.value;
    },
    setItem(_key, value) {
      this.value = value;
    },
  };
}

describe('places', () => {
  it('come back as they were saved', () => {
    const kept = storage(null);
    savePlaces({ layout: 9, order: ['b', 'a'] }, kept);
    expect(readPlaces(kept)).toEqual({ layout: 9, order: ['b', 'a'] });
  });
  it('are the default when what is kept makes no sense', () => {
    for (const content of [null, '', '{', '3', '{"layout":5,"order":"x"}']) {
      expect(readPlaces(storage(content))).toEqual({ layout: 'auto', order: [] });
    }
    expect(readPlaces(storage('{"layout":4,"order":["a",1,null]}'))).toEqual({ layout: 4, order: ['a'] });
  });
});
