// Numbers as typed. Empty is a value of its own: no rule.

/** A whole number in a range, or undefined. */
export function wholeNumber(text: string, from: number, to: number): number | undefined {
  const trimmed = text.trim();
  if (!/^\d{1,6}$/.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return value >= from && value <= to ? value : undefined;
}

/** Whole number in a range; 0 for empty; undefined when it is neither. */
export function wholeOrNone(text: string, from: number, to: number): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return 0;
  if (!/^\d{1,6}$/.test(trimmed)) return undefined;
  const value = Number(trimmed);
  return value >= from && value <= to ? value : undefined;
}

/** `1.5` GB as 1500 MB, `2,5` Mbit/s as 2500 kbit/s; 0 for empty; undefined when it is neither. */
export function thousandsOrNone(text: string): number | undefined {
  const trimmed = text.trim().replace(',', '.');
  if (trimmed === '') return 0;
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(trimmed)) return undefined;
  const value = Math.round(Number(trimmed) * 1000);
  return value > 0 ? value : undefined;
}

/** A number of thousands as typed; empty when there is none. */
export function thousandsText(value: number | null | undefined): string {
  return value == null || value === 0 ? '' : String(value / 1000);
}

/** A number as typed; empty when there is none. */
export function numberText(value: number | null | undefined): string {
  return value == null || value === 0 ? '' : String(value);
}
