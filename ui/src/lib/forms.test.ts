import { describe, expect, it } from 'vitest';
import { rebased } from './forms';

describe('a form that is open while its settings change', () => {
  const before = { days: '30', keep: '', all: false };
  it('keeps what was changed here and follows in everything else', () => {
    expect(rebased({ ...before, keep: '24' }, before, { days: '365', keep: '8', all: true })).toEqual({ days: '365', keep: '24', all: true });
  });
  it('takes what was saved and keeps what was typed meanwhile', () => {
    const sent = { ...before, days: ' 40 ' };
    expect(rebased({ ...sent, keep: '2' }, sent, { days: '40', keep: '', all: false })).toEqual({ days: '40', keep: '2', all: false });
  });
});
