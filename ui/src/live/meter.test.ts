import { describe, expect, it } from 'vitest';
import { Meter } from './meter';

describe('Meter', () => {
  it('measures pictures and bits per second', () => {
    const meter = new Meter();
    for (let i = 0; i < 60; i++) {
      meter.received(i * 66.667, 25_000);
      meter.shown(i * 66.667 + 5, i * 66.667 - 15);
    }
    const { fps, kbps } = meter.rates(60 * 66.667);
    expect(fps).toBeCloseTo(15, -1);
    expect(kbps).toBeGreaterThan(2500);
    expect(kbps).toBeLessThan(3500);
    expect(meter.painted).toBe(60);
    expect(meter.delayMs).toBe(20);
  });

  it('falls to zero when nothing comes', () => {
    const meter = new Meter();
    meter.shown(0, 0);
    expect(meter.rates(60_000)).toEqual({ fps: 0, kbps: 0 });
  });

  it('follows a jump at once and noise slowly', () => {
    const meter = new Meter();
    meter.shown(10_000, 9_900);
    meter.shown(10_066, 9_866);
    expect(meter.delayMs).toBe(110);
    meter.shown(20_000, 15_000);
    expect(meter.delayMs).toBe(5_000);
    meter.shown(20_000, 21_000);
    expect(meter.delayMs).toBe(0);
  });
});
