// Days and clock faces in a time zone, with nothing but Intl. Days of 23 and 25 hours are days.

const formats = new Map<string, Intl.DateTimeFormat>();

function partsFormat(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit',
      hour: '2-digit', minute: '2-digit', second: '2-digit',
    });
    formats.set(zone, format);
  }
  return format;
}

export interface Wall {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

/** What a clock on the wall of that zone shows. */
export function wallAt(ms: number, zone: string): Wall {
  const wall: Wall = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
  for (const { type, value } of partsFormat(zone).formatToParts(ms)) {
    if (type in wall) wall[type as keyof Wall] = Number(value);
  }
  return wall;
}

/** Milliseconds to add to UTC to get the wall clock. */
export function offsetAt(ms: number, zone: string): number {
  const w = wallAt(ms, zone);
  const seconds = Math.floor(ms / 1000) * 1000;
  return Date.UTC(w.year, w.month - 1, w.day, w.hour, w.minute, w.second) - seconds;
}

export function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** `YYYY-MM-DD` of a moment. */
export function dayOf(ms: number, zone: string): string {
  const { year, month, day } = wallAt(ms, zone);
  return key(year, month, day);
}

export interface Span {
  start: number;
  end: number;
}

/** First moment of a day and of the day after. */
export function daySpan(day: string, zone: string): Span {
  return { start: firstMoment(day, zone), end: firstMoment(shifted(day, 1), zone) };
}

/** The day `by` days later. Plain calendar arithmetic: zones do not matter. */
export function shifted(day: string, by: number): string {
  const [y = 0, m = 1, d = 1] = day.split('-').map(Number);
  const date = new Date(Date.UTC(y, m - 1, d + by));
  return key(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate());
}

function firstMoment(day: string, zone: string): number {
  const [y = 0, m = 1, d = 1] = day.split('-').map(Number);
  const midnight = Date.UTC(y, m - 1, d);
  // The offset changes at most once around a midnight, so one of the two offsets is right. Where
  // midnight does not exist the day begins at the jump, where it exists twice the earlier counts.
  const early = midnight - offsetAt(midnight - 24 * HOUR, zone);
  const late = midnight - offsetAt(midnight + 24 * HOUR, zone);
  const candidates = [Math.min(early, late), Math.max(early, late)];
  for (const at of candidates) {
    if (dayOf(at, zone) === day && dayOf(at - 1, zone) !== day) return at;
  }
  return jump(Math.min(early, late) - HOUR, Math.max(early, late) + HOUR, day, zone);
}

/** The moment between two at which the day begins. */
function jump(from: number, to: number, day: string, zone: string): number {
  let low = from;
  let high = to;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (dayOf(middle, zone) >= day) high = middle;
    else low = middle;
  }
  return high;
}

const HOUR = 3_600_000;

function key(year: number, month: number, day: number): string {
  return `${String(year).padStart(4, '0')}-${pad(month)}-${pad(day)}`;
}

function pad(n: number): string {
  return String(n).padStart(2, '0');
}

/** `14:03:27`, or `14:03` without seconds. */
export function clock(ms: number, zone: string, seconds = true): string {
  const { hour, minute, second } = wallAt(ms, zone);
  return seconds ? `${pad(hour)}:${pad(minute)}:${pad(second)}` : `${pad(hour)}:${pad(minute)}`;
}

/** The day as people say it: `Saturday, 21 November`. */
export function dayTitle(day: string, locale?: string): string {
  const [y = 0, m = 1, d = 1] = day.split('-').map(Number);
  const format = new Intl.DateTimeFormat(locale, { timeZone: 'UTC', weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
  return format.format(Date.UTC(y, m - 1, d, 12));
}
