import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../api/types';
import { galleryDays, neighbourOf } from './gallery';

const picture = (id: string, taken: string, fields: Partial<Snapshot> = {}): Snapshot => ({
  snapshot_id: id, channel_id: 'c', taken, source: 'client', status: 'stored', url: `/${id}`, ...fields,
});
const pictures = [
  picture('c', '2026-11-21T23:30:00Z'),
  picture('b', '2026-11-21T12:00:00Z', { status: 'pending', url: null }),
  picture('a', '2026-11-20T12:00:00Z'),
];

describe('the gallery', () => {
  it("groups by the viewer's day", () => {
    const days = galleryDays(pictures, undefined, 'Europe/Zagreb');
    expect(days.map(({ day, pictures }) => [day, pictures.length])).toEqual([['2026-11-22', 1], ['2026-11-21', 1], ['2026-11-20', 1]]);
  });
  it('shows one day when asked', () => {
    expect(galleryDays(pictures, '2026-11-20', 'UTC').map((d) => d.pictures.map((p) => p.snapshot_id))).toEqual([['a']]);
  });
  it('goes from picture to picture, past those that are not there', () => {
    expect(neighbourOf(pictures, 'c', 1)?.snapshot_id).toBe('a');
    expect(neighbourOf(pictures, 'a', -1)?.snapshot_id).toBe('c');
    expect(neighbourOf(pictures, 'a', 1)).toBeUndefined();
    expect(neighbourOf(pictures, 'gone', 1)).toBeUndefined();
  });
});
