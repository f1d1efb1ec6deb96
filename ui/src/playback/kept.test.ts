import { describe, expect, it } from 'vitest';
import { keepChannel, keepVolume, keptChannel, keptVolume } from './kept';

function storage(): { getItem: (key: string) => string | null; setItem: (key: string, value: string) => void } {
  const values = new Map<string, string>();
  return { getItem: (key) => values.get(key) ?? null, setItem: (key, value) => void values.set(key, value) };
}

describe('kept', () => {
  it('comes back', () => {
    const kept = storage();
    expect([keptChannel(kept), keptVolume(kept)]).toEqual([null, { muted: false, volume: 1 }]);
    keepChannel('abc', kept);
    keepVolume({ muted: true, volume: 0.3 }, kept);
    expect([keptChannel(kept), keptVolume(kept)]).toEqual(['abc', { muted: true, volume: 0.3 }]);
  });
  it('is loud when what is kept makes no sense', () => {
    for (const content of ['{', '3', '{"muted":1,"volume":2}', '{"muted":false,"volume":9}']) {
      expect(keptVolume({ getItem: () => content, setItem: () => undefined })).toEqual({ muted: false, volume: 1 });
    }
  });
});
