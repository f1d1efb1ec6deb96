// What this webview can decode. Asked once per codec and remembered.

import { mseConstructor } from './mse';
import type { Abilities } from './plan';
import { webcodecsPresent } from './webcodecs';

const webcodecs = new Map<string, boolean>();
const mse = new Map<string, boolean>();
const asked = new Map<string, Promise<void>>();

/** What is known so far. Call `learn` first for the codecs that matter. */
export function abilities(): Abilities {
  return { webcodecsPresent: webcodecsPresent(), webcodecs, mse };
}

/** Finds out about a codec; resolves when `abilities` knows it. */
export function learn(codec: string): Promise<void> {
  let answer = asked.get(codec);
  if (!answer) {
    answer = ask(codec);
    asked.set(codec, answer);
  }
  return answer;
}

const heard = new Map<string, boolean>();

/** Whether sound of this codec can go along with live pictures. Where nobody can say, it is tried. */
export function hears(codec: string): boolean {
  let able = heard.get(codec);
  if (able === undefined) {
    able = mseConstructor()?.isTypeSupported(`video/mp4; codecs="avc1.42E01E, ${codec}"`) ?? true;
    heard.set(codec, able);
  }
  return able;
}

async function ask(codec: string): Promise<void> {
  mse.set(codec, mseConstructor()?.isTypeSupported(`video/mp4; codecs="${codec}"`) ?? false);
  if (!webcodecsPresent()) {
    webcodecs.set(codec, false);
    return;
  }
  try {
    const { supported } = await VideoDecoder.isConfigSupported({ codec, optimizeForLatency: true });
    webcodecs.set(codec, supported === true);
  } catch {
    webcodecs.set(codec, false);
  }
}
