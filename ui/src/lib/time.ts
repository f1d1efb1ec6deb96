// Days, times and durations in the viewer's time zone. A day is from midnight to midnight there:
// 23 or 25 hours when the clocks change.

import {
  fromAbsolute, getLocalTimeZone, parseDate, parseDateTime, toCalendarDate, toCalendarDateTime, toZoned, type CalendarDate,
} from '@internationalized/date';

/** The viewer's time zone, IANA name. */
export function localZone(): string {
  return getLocalTimeZone();
}

/** Milliseconds since 1970 of an RFC 3339 time; undefined when absent or not a time. */
export function ms(time: string | null | undefined): number | undefined {
  if (time == null) return undefined;
  const value = Date.parse(time);
  return Number.isNaN(value) ? undefined : value;
}

/** RFC 3339 in UTC, as the API takes it. */
export function rfc3339(time: number): string {
  return new Date(time).toISOString();
}

/** The day a moment falls on, `YYYY-MM-DD`. */
export function dayOf(time: number, zone = localZone()): string {
  return toCalendarDate(fromAbsolute(time, zone)).toString();
}

export interface DayRange {
  start: number;
  end: number;
}

/** A day's first moment and the first one after it, in milliseconds since 1970. */
export function dayRange(day: string, zone = localZone()): DayRange {
  const date = parseDate(day);
  return { start: startOf(date, zone), end: startOf(date.add({ days: 1 }), zone) };
}

function startOf(date: CalendarDate, zone: string): number {
  return date.toDate(zone).getTime();
}

/** Another day, so many later; negative is earlier. */
export function addDays(day: string, days: number): string {
  return parseDate(day).add({ days }).toString();
}

// Making a formatter costs much more than using it.
const formatters = new Map<string, Intl.DateTimeFormat>();

function format(time: number, zone: string, key: string, options: Intl.DateTimeFormatOptions, locale?: string): string {
  const id = `${key} ${zone} ${locale ?? ''}`;
  let formatter = formatters.get(id);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone });
    formatters.set(id, formatter);
  }
  return formatter.format(time);
}

/** `14:03:27`. */
export function clockTime(time: number, zone = localZone()): string {
  return format(time, zone, 'clock', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }, 'en-GB');
}

/** `14:03`. */
export function clockMinute(time: number, zone = localZone()): string {
  return format(time, zone, 'minute', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, 'en-GB');
}

/** `Saturday, 21 November 2026`, in the viewer's language. */
export function longDay(day: string, locale?: string): string {
  return format(Date.parse(`${day}T12:00:00Z`), 'UTC', 'longDay', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }, locale);
}

/** `Sat, 21 Nov 2026`, in the viewer's language. */
export function shortDay(day: string, locale?: string): string {
  return format(Date.parse(`${day}T12:00:00Z`), 'UTC', 'shortDay', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }, locale);
}

/** `Sat, 21 Nov 2026, 14:03:27 – 14:05:00`; the day of the end only when it is another. */
export function timeSpan(start: number, end: number, zone = localZone(), locale?: string): string {
  const [from, to] = [dayOf(start, zone), dayOf(end, zone)];
  const last = from === to ? clockTime(end, zone) : `${shortDay(to, locale)}, ${clockTime(end, zone)}`;
  return `${shortDay(from, locale)}, ${clockTime(start, zone)} – ${last}`;
}

/** What a `datetime-local` field holds: `2026-11-21T14:03:27` on the clock of the zone. */
export function toLocalField(time: number, zone = localZone()): string {
  return toCalendarDateTime(fromAbsolute(Math.floor(time / 1000) * 1000, zone)).toString();
}

/** The moment such a field names; undefined when it names none. */
export function fromLocalField(text: string, zone = localZone()): number | undefined {
  try {
    return toZoned(parseDateTime(text.trim().replace(' ', 'T')), zone).toDate().getTime();
  } catch {
    return undefined;
  }
}

/** Day and time, short, in the viewer's language. */
export function dateTime(time: number, zone = localZone(), locale?: string): string {
  return format(time, zone, 'dateTime', { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' }, locale);
}

/** `2 h 5 min`, `3 min 4 s`, `12 s`: the two largest parts. */
export function duration(milliseconds: number): string {
  const total = Math.max(0, Math.round(milliseconds / 1000));
  const parts: [number, string][] = [
    [Math.floor(total / 86400), 'd'],
    [Math.floor((total % 86400) / 3600), 'h'],
    [Math.floor((total % 3600) / 60), 'min'],
    [total % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}
