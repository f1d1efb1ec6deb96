// The gallery: pictures by day, and the way from one to the next. Pure.

import type { Snapshot } from '../api/types';
import { dayOf, ms } from '../lib/time';

export interface GalleryDay {
  /** `YYYY-MM-DD` in the viewer's zone. */
  day: string;
  pictures: Snapshot[];
}

/** Pictures by day, in the order they come. `only` leaves one day. */
export function galleryDays(pictures: readonly Snapshot[], only?: string, zone?: string): GalleryDay[] {
  const days: GalleryDay[] = [];
  for (const picture of pictures) {
    const day = dayOf(ms(picture.taken) ?? 0, zone);
    if (only !== undefined && day !== only) continue;
    const last = days.at(-1);
    if (last?.day === day) last.pictures.push(picture);
    else days.push({ day, pictures: [picture] });
  }
  return days;
}

/** The picture so many places away among those that can be shown; undefined beyond the ends. */
export function neighbourOf(pictures: readonly Snapshot[], id: string, by: 1 | -1): Snapshot | undefined {
  const shown = pictures.filter((p) => p.url != null || p.snapshot_id === id);
  const at = shown.findIndex((p) => p.snapshot_id === id);
  return at < 0 ? undefined : shown[at + by];
}
