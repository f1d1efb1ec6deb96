// The wall clock of a time zone where whole days (lib/time) are too coarse: places for ticks.

export interface Span {
  start: number;
  end: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function partsFormat(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, format);
  }
  return format;
}

/** Milliseconds to add to UTC to get what a clock on the wall of that zone shows. */
export function offsetAt(ms: number, zone: string): number {
  const field: Record<string, number> = {};
  for (const { type, value } of partsFormat(zone).formatToParts(ms)) field[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = field;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}
