// Ranges of footage to be kept, as forms hold them, and what the recorder takes. Pure.

import { fromLocalField, toLocalField } from '../lib/time';
import { texts } from './texts';

export interface Range {
  /** Milliseconds since 1970. */
  start: number;
  end: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Somebody who selects up to here means: up to now. */
const TOUCHES_NOW_MS = 10_000;

/** What a form for a range holds: fields of date and time. */
export interface RangeForm {
  from: string;
  to: string;
}

/** A form that holds a range. Seconds are enough for people; none of the footage meant is lost. */
export function rangeForm(range: Range): RangeForm {
  return { from: toLocalField(range.start), to: toLocalField(Math.ceil(range.end / 1000) * 1000) };
}

/**
 * The range a form holds. A field nobody changed keeps the moment it was filled from, to the
 * millisecond; undefined when a field holds no moment.
 */
export function rangeOf(form: RangeForm, given?: Range): Partial<Range> {
  const filled = given && rangeForm(given);
  const start = given && form.from === filled?.from ? given.start : fromLocalField(form.from);
  const end = given && form.to === filled?.to ? given.end : fromLocalField(form.to);
  return { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
}

export interface RangeFaults {
  from?: string;
  to?: string;
}

/** What is wrong with a range for any use. */
export function rangeFaults({ start, end }: Partial<Range>): RangeFaults {
  if (start === undefined) return { from: texts.badTime };
  if (end === undefined) return { to: texts.badTime };
  return end <= start ? { to: texts.backwards } : {};
}

/** Whether a range goes up to this moment, so that a clip of it may go on. */
export function touchesNow(range: Partial<Range>, now: number): boolean {
  return range.end !== undefined && range.end >= now - TOUCHES_NOW_MS;
}

/** How long a clip may go on, in minutes; 0 is not at all. */
export const GO_ON = [0, 1, 2, 5, 10, 30, 60] as const;

/** The range of a clip that goes on for so many minutes from now. */
export function goingOn(range: Partial<Range>, minutes: number, now: number): Partial<Range> {
  return minutes > 0 ? { ...range, end: now + minutes * MINUTE_MS } : range;
}

/** What is wrong with the range of a clip. */
export function clipFaults(range: Partial<Range>, now: number): RangeFaults {
  const faults = rangeFaults(range);
  const { start, end } = range;
  if (faults.from !== undefined || faults.to !== undefined || start === undefined || end === undefined) return faults;
  if (start >= now) return { from: texts.clip.notYet };
  if (end - start > DAY_MS) return { to: texts.clip.tooLong };
  return end - now > DAY_MS ? { to: texts.clip.tooFar } : {};
}

const EXPORT_DAYS = 7;
const EXPORT_CAMERAS = 64;

/** What is wrong with an export; `cameras` says what is wrong with their number. */
export function exportFaults(range: Partial<Range>, cameras: number, now: number): RangeFaults & { cameras?: string } {
  const faults: RangeFaults & { cameras?: string } = rangeFaults(range);
  const { start, end } = range;
  if (cameras === 0) faults.cameras = texts.export.noCamera;
  else if (cameras > EXPORT_CAMERAS) faults.cameras = texts.export.tooMany;
  if (faults.from !== undefined || faults.to !== undefined || start === undefined || end === undefined) return faults;
  if (end > now) faults.to = texts.export.future;
  else if (end - start > EXPORT_DAYS * DAY_MS) faults.to = texts.export.tooLong;
  return faults;
}

/** Whether anything is wrong. */
export function faulty(faults: object): boolean {
  return Object.values(faults).some((fault) => fault !== undefined);
}
