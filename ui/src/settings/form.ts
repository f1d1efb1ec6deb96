// The recorder's settings: what is typed and what of it is sent.

import type { Input } from '../api/call';
import type { Settings } from '../api/types';

export type SettingName = keyof Settings;

/** Seconds each setting may be. */
export const RANGES: Readonly<Record<SettingName, readonly [number, number]>> = {
  segment_seconds: [5, 600],
  sync_seconds: [1, 60],
  watchdog_seconds: [2, 60],
};

export type SettingsForm = Record<SettingName, string>;

export const NAMES = Object.keys(RANGES) as SettingName[];

export function settingsForm(settings: Settings): SettingsForm {
  return {
    segment_seconds: String(settings.segment_seconds),
    sync_seconds: String(settings.sync_seconds),
    watchdog_seconds: String(settings.watchdog_seconds),
  };
}

function parsed(form: SettingsForm, name: SettingName): number | undefined {
  const text = form[name].trim();
  const [from, to] = RANGES[name];
  const value = /^\d{1,4}$/.test(text) ? Number(text) : NaN;
  return value >= from && value <= to ? value : undefined;
}

/** Names of the settings that are not valid. */
export function wrongSettings(form: SettingsForm): SettingName[] {
  return NAMES.filter((name) => parsed(form, name) === undefined);
}

/** Whether anything differs from what is kept. */
export function isChanged(settings: Settings, form: SettingsForm): boolean {
  return NAMES.some((name) => parsed(form, name) !== settings[name]);
}

/** What is sent: what differs and is valid. */
export function settingsUpdate(settings: Settings, form: SettingsForm): Input<'settings_update'> {
  const changed = NAMES.map((name) => [name, parsed(form, name)] as const).filter(
    ([name, value]) => value !== undefined && value !== settings[name],
  );
  return Object.fromEntries(changed);
}

/** Share of the disk in use, 0 to 1; undefined when it is not known. */
export function diskUsed(free: number | null | undefined, total: number | null | undefined): number | undefined {
  if (free == null || total == null || total <= 0) return undefined;
  return Math.min(1, Math.max(0, 1 - free / total));
}
