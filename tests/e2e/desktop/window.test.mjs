// The real window: it opens, shows the page, the page reaches the recorder in the same process,
// three cameras play, and the program stops in order.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { root, target } from '../../../scripts/steps.mjs';
import { Session, until } from './webdriver.mjs';

const bin = process.env.ORIEL_BIN_DIR ?? join(target, 'debug');
const data = mkdtempSync(join(tmpdir(), 'oriel-window-'));
const started = [];
let session;

function start(command, args, env = process.env) {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  return child;
}

function line(child, pattern) {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (l) => pattern.test(l) && resolve(l));
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
    child.once('error', reject);
  });
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function keep(name) {
  const shots = join(root, 'tests', 'e2e', 'results');
  mkdirSync(shots, { recursive: true });
  writeFileSync(join(shots, name), await session.screenshot());
}

before(async () => {
  // A display of its own, so that nothing of the developer's desktop is touched.
  const display = start('Xvfb', ['-displayfd', '1', '-screen', '0', '1400x900x24', '-nolisten', 'tcp']);
  const number = await line(display, /^\d+$/);
  const list = join(data, 'demo.json');
  await line(start(join(bin, 'oriel-demo-cameras'), ['--out', list]), /ready/);
  const [port, native] = [await freePort(), await freePort()];
  const env = { ...process.env, DISPLAY: `:${number}`, ORIEL_SECRETS: 'file', ORIEL_DATA: join(data, 'recorder'), ORIEL_DEMO_CAMERAS: list };
  delete env.WAYLAND_DISPLAY;
  start(join(target, 'tools', 'bin', 'tauri-driver'), ['--port', String(port), '--native-port', String(native), '--native-driver', '/usr/bin/WebKitWebDriver'], env);
  const driver = `http://127.0.0.1:${port}`;
  await until('the driver answers', async () => (await fetch(`${driver}/status`)).ok);
  session = await Session.open(driver, join(bin, 'oriel'), []);
});

after(async () => {
  await session?.close().catch(() => {});
  for (const child of started.reverse()) child.kill('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

test('the window shows the page and the page reaches the recorder', async () => {
  await until('the first-run screen offers the demo cameras', () =>
    session.run("return [...document.querySelectorAll('button')].some((b) => /demo cameras/i.test(b.textContent))"),
  );
  assert.match(await session.title(), /Oriel$/);
});

test('three demo cameras play in the window', async () => {
  await session.run("[...document.querySelectorAll('button')].find((b) => /demo cameras/i.test(b.textContent)).click()");
  await until('the live page is reachable', () =>
    session.run("const a = [...document.querySelectorAll('a')].find((x) => /^live$/i.test(x.textContent.trim()) || /live$/.test(x.getAttribute('href') ?? '')); a?.click(); return Boolean(a)"),
  );
  await until('three tiles paint', () =>
    session.run("return [...document.querySelectorAll('[data-channel][data-frames]')].filter((t) => Number(t.dataset.frames) > 20).length >= 3"),
  );
  await keep('window-live.png');
});

test('what was recorded plays in the window', async () => {
  await session.run("document.querySelector('a[href$=\"playback\"]').click()");
  const at = () => session.run("return Date.parse(document.querySelector('[data-testid=player]')?.dataset.playingAt || '')");
  const began = await until('a position on the timeline', at);
  await session.run("document.querySelector('[data-testid=go-live]').click()");
  await until('playback goes on', async () => (await at()) > began + 3000);
  // A moving clock alone proves nothing: there has to be a picture, and it has to go on.
  const shown = () => session.run("const v = document.querySelector('[data-testid=playback-video]'); return v && v.readyState >= 2 && v.videoWidth > 0 ? v.currentTime : 0");
  const first = await until('a picture', shown, 30_000);
  await until('the picture goes on', async () => (await shown()) > first + 2, 30_000);
  await keep('window-playback.png');
});
