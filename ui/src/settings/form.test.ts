import { describe, expect, it } from 'vitest';
import { diskUsed, isChanged, settingsForm, settingsUpdate, wrongSettings } from './form';

const kept = { segment_seconds: 30, sync_seconds: 5, watchdog_seconds: 5 };

describe('settings', () => {
  it('send only what differs', () => {
    const form = { ...settingsForm(kept), sync_seconds: ' 10 ' };
    expect(isChanged(kept, settingsForm(kept))).toBe(false);
    expect(isChanged(kept, form)).toBe(true);
    expect(settingsUpdate(kept, form)).toEqual({ sync_seconds: 10 });
  });
  it('name what is not valid', () => {
    expect(wrongSettings({ segment_seconds: '4', sync_seconds: '0', watchdog_seconds: '2' })).toEqual(['segment_seconds', 'sync_seconds']);
    expect(wrongSettings({ segment_seconds: '', sync_seconds: '1.5', watchdog_seconds: '61' })).toHaveLength(3);
    expect(wrongSettings(settingsForm(kept))).toEqual([]);
  });
  it('tell how full the disk is', () => {
    expect(diskUsed(25, 100)).toBe(0.75);
    expect(diskUsed(200, 100)).toBe(0);
    expect([diskUsed(undefined, 100), diskUsed(1, 0), diskUsed(null, null)]).toEqual([undefined, undefined, undefined]);
  });
});
