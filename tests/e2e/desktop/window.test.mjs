// The real window: it opens, shows the page, the page reaches the recorder in the same process,
// three cameras play, files are saved, and the program stops in order.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { root, target } from '../../../scripts/steps.mjs';
import { Session, until } from './webdriver.mjs';

const bin = process.env.ORIEL_BIN_DIR ?? join(target, 'debug');
const data = mkdtempSync(join(tmpdir(), 'oriel-window-'));
const home = join(data, 'home');
const downloads = join(home, 'Downloads');
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
  // A home of its own: nothing is saved in the developer's.
  mkdirSync(home);
  Object.assign(env, { HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_DATA_HOME: join(home, '.local', 'share'), XDG_CACHE_HOME: join(home, '.cache') });
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

const hasToast = (text) => session.run("return [...document.querySelectorAll('[data-sonner-toast]')].some((t) => t.textContent.includes(arguments[0]))", text);
const press = (label, within = 'body') =>
  session.run("const b = [...document.querySelectorAll(`${arguments[1]} button`)].find((x) => (x.getAttribute('aria-label') ?? x.textContent.trim()) === arguments[0]); b?.click(); return Boolean(b)", label, within);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Asks the recorder as its owner, by its own program's token. */
async function ask(method, path, body) {
  const { base_url: base } = JSON.parse(readFileSync(join(data, 'recorder', 'run.json'), 'utf8'));
  const env = { ...process.env, ORIEL_SECRETS: 'file' };
  const token = execFileSync(join(bin, 'orield'), ['token', '--data', join(data, 'recorder')], { env, encoding: 'utf8' }).trim();
  const url = new URL(path, base);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return fetch(url, { method, headers, body: body && JSON.stringify(body) });
}

test('a snapshot is saved in the downloads, with its own bytes, and the page goes on', async () => {
  const frames = () => session.run("return Number(document.querySelector('[data-channel][data-frames]').dataset.frames)");
  await until('the snapshot button', () => press('Snapshot', '[data-channel]'));
  await until('the notice of the snapshot', () => press('Download', '[data-testid=snapshot-toast]'));
  await until('the page is told where it went', () => hasToast('Saved in Downloads: '));
  await keep('window-download.png');
  const [name, ...more] = readdirSync(downloads);
  assert.deepEqual(more, []);
  assert.match(name, / \d{4}-\d\d-\d\d \d\d-\d\d-\d\d\.jpg$/);
  const [snapshot] = (await (await ask('GET', '/api/snapshots')).json()).items;
  const kept = Buffer.from(await (await ask('GET', snapshot.url)).arrayBuffer());
  assert.equal(sha256(readFileSync(join(downloads, name))), sha256(kept));
  // The page is still there, and what it was doing goes on.
  const before = await frames();
  await until('live pictures go on', async () => (await frames()) > before + 20);
});

test('a file of a name that is there gets a number, and one that cannot be had is told', async () => {
  await session.run("document.querySelector('a[href$=\"clips\"]').click()");
  await until('the snapshots', () => session.run("const t = [...document.querySelectorAll('[role=tab]')].find((x) => x.textContent.trim() === 'Snapshots'); t?.click(); return Boolean(t)"));
  await until('the picture', () => session.run("const t = document.querySelector('[data-testid=thumbnail]'); t?.click(); return Boolean(t)"));
  const [first] = readdirSync(downloads);
  await until('the viewer', () => press('Download', '[role=dialog]'));
  const second = first.replace('.jpg', ' (2).jpg');
  await until('the second file', () => hasToast(`Saved in Downloads: ${second}`));
  assert.deepEqual(readFileSync(join(downloads, second)), readFileSync(join(downloads, first)));

  // Its bytes vanish behind the back of the recorder.
  const [snapshot] = (await (await ask('GET', '/api/snapshots')).json()).items;
  const gone = new URL(snapshot.url, 'http://x').pathname.replace('/api/objects/', '').split('/');
  const file = readdirSync(join(data, 'recorder'), { recursive: true }).find((path) => path.endsWith(join(...gone)));
  rmSync(join(data, 'recorder', file));
  await press('Download', '[role=dialog]');
  await until('the refusal is told', () => session.run("return document.querySelectorAll('[data-sonner-toast][data-type=error]').length > 0"));
  assert.deepEqual(readdirSync(downloads).sort(), [second, first].sort());
  assert.match(await session.title(), /Oriel$/);
  await session.run("document.querySelector('[role=dialog] button[aria-label=Close]').click()");
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
