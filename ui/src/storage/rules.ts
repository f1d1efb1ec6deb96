// What is kept of each camera: what is typed, what is sent, and what the forecast is asked.

import type { Input } from '../api/call';
import type { Channel, Forecast, ForecastLimit, UploadPolicy } from '../api/types';
import type { StorageForm } from './form';
import { rebased } from '../lib/forms';
import { numberText, thousandsOrNone, thousandsText, wholeOrNone } from '../lib/numbers';
import { texts } from './texts';

export interface RuleForm {
  days: string;
  /** GB. */
  quota: string;
  upload: UploadPolicy;
}

export type RuleErrors = Partial<Record<'days' | 'quota', string>>;

export function ruleForm(channel: Channel): RuleForm {
  return { days: numberText(channel.retention_days), quota: thousandsText(channel.quota_mb), upload: channel.upload };
}

export function ruleErrors(rule: RuleForm): RuleErrors {
  const errors: RuleErrors = {};
  if (wholeOrNone(rule.days, 1, 3650) === undefined) errors.days = texts.errors.numberOrEmpty('1', '3650');
  if (thousandsOrNone(rule.quota) === undefined) errors.quota = texts.errors.amount;
  return errors;
}

export function isRuleChanged(channel: Channel, rule: RuleForm): boolean {
  const before = ruleForm(channel);
  return rule.days !== before.days || rule.quota !== before.quota || rule.upload !== before.upload;
}

/** The rule when the channel was changed elsewhere. */
export function followedRule(rule: RuleForm | undefined, before: Channel | undefined, now: Channel): RuleForm {
  return rule === undefined || before === undefined ? ruleForm(now) : rebased(rule, ruleForm(before), ruleForm(now));
}

/** What is sent: only what differs; undefined when nothing does. The rule is valid. */
export function ruleUpdate(channel: Channel, rule: RuleForm): Input<'channel_update'> | undefined {
  const input = { id: channel.id } as Input<'channel_update'>;
  const days = wholeOrNone(rule.days, 1, 3650);
  const quota = thousandsOrNone(rule.quota);
  if (days !== undefined && days !== (channel.retention_days ?? 0)) input.retention_days = days;
  if (quota !== undefined && quota !== (channel.quota_mb ?? 0)) input.quota_mb = quota;
  if (rule.upload !== channel.upload) input.upload = rule.upload;
  return Object.keys(input).length > 1 ? input : undefined;
}

type Query = Input<'storage_forecast'>;

/** The question to the forecast; what is not valid is left as it is set. */
export function forecastQuery(form: StorageForm, rules: Readonly<Record<string, RuleForm>>): Query {
  const channels = Object.entries(rules).map(([id, rule]) => ({
    channel_id: id,
    retention_days: wholeOrNone(rule.days, 1, 3650) ?? null,
    quota_mb: thousandsOrNone(rule.quota) ?? null,
  }));
  return { retention_days: wholeOrNone(form.days, 1, 3650) ?? null, reserve_mb: thousandsOrNone(form.reserve) ?? null, channels };
}

export interface Hold {
  days: number;
  limit: ForecastLimit | undefined;
  /** The channel that is held shortest, when there are several that differ. */
  channel: string | undefined;
}

/** How long footage will be held, and what ends it; undefined when nothing is measured. */
export function holdOf(forecast: Forecast): Hold | undefined {
  if (forecast.days == null) return undefined;
  const rated = forecast.channels.filter((c) => c.days != null);
  const shortest = rated.reduce((a, b) => ((b.days ?? Infinity) < (a.days ?? Infinity) ? b : a), rated[0] ?? forecast.channels[0]!);
  const differ = rated.some((c) => Math.abs((c.days ?? 0) - (shortest.days ?? 0)) > 0.5);
  return { days: forecast.days, limit: shortest.limit ?? undefined, channel: differ ? shortest.channel_id : undefined };
}
