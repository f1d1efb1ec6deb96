// npm start: installs what is missing, builds, starts three demo cameras on loopback and then
// the app; without a display the recorder alone, whose address is printed.

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { buildPage, program, root, run, say, stop, target } from './steps.mjs';
import { requireSystem } from './system.mjs';

const headless =
  process.argv.includes('--headless') ||
  (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY);
const data = process.env.ORIEL_DATA ?? join(root, 'data');
const binary = (name) => join(target, 'release', program(name));

await requireSystem('start');
say('Building the page');
buildPage();
say('Building Oriel (the first time takes some minutes)');
const packages = ['orield', 'oriel-gst', 'oriel-testkit', ...(headless ? [] : ['oriel-desktop'])];
run('cargo', ['build', '--release', ...packages.flatMap((p) => ['-p', p])]);

mkdirSync(data, { recursive: true });
const list = join(data, 'demo-cameras.json');
const cameras = spawn(binary('oriel-demo-cameras'), ['--out', list], { stdio: ['pipe', 'pipe', 'inherit'] });
const ready = once(createInterface({ input: cameras.stdout }), 'line').then(() => true);
const ended = once(cameras, 'exit').then(() => false);
if (!(await Promise.race([ready, ended]))) stop('The demo cameras did not start.');

say(headless ? 'Starting the recorder without a window' : 'Starting Oriel');
const main = headless
  ? spawn(binary('orield'), ['serve', '--data', data, '--demo-cameras', list], { stdio: 'inherit' })
  : spawn(binary('oriel'), ['--data', data, '--demo-cameras', list], { stdio: 'inherit' });
// The recorder stops in order and this script follows it. Ctrl-C reaches the recorder from the
// terminal itself: sent on, it would arrive twice, and the second one ends it at once.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => main.kill('SIGTERM'));
const [code, signal] = await once(main, 'exit');
cameras.stdin.end();
if (cameras.exitCode === null) cameras.kill();
process.exit(signal ? 1 : (code ?? 1));
