// Live delay, from the moment a picture is drawn in the camera to the moment its pixels can be
// read in the page, in Chromium and in the real window; and the time to the first picture.

import { chromium } from '@playwright/test';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { target } from '../../scripts/steps.mjs';
import { Session, until } from '../../tests/e2e/desktop/webdriver.mjs';
import { percentile, sampler } from './sampler.mjs';

const SAMPLES = 100;
const bin = process.env.ORIEL_BIN_DIR ?? join(target, 'release');
const folder = mkdtempSync(join(tmpdir(), 'oriel-bench-'));
const children = [];

function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
  children.push(child);
  return child;
}

function line(child, pattern) {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (l) => {
      const match = l.match(pattern);
      if (match) resolve(match);
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
  });
}

async function camera() {
  const child = start(join(bin, 'oriel-test-camera'), []);
  const stream = { video: 'H264', width: 1280, height: 720, fps: 30, gop: 60, bitrate: 3000, bframes: false, audio: 'None', audio_behaviour: 'Normal', look: 'Stamped' };
  child.stdin.write(`${JSON.stringify({ stream, source: 'Live', low: false, auth: 'None', port: null, rtcp: true })}\n`);
  return `rtsp://127.0.0.1:${(await line(child, /^ready (\d+)/))[1]}/high`;
}

async function recorder(data, env) {
  const child = start(join(bin, 'orield'), ['serve', '--data', data, '--listen', '127.0.0.1:0'], { env });
  const link = (await line(child, /(http:\/\/\S+\/open\?code=\S+)/))[1];
  const token = execFileSync(join(bin, 'orield'), ['token', '--data', data], { env, encoding: 'utf8' }).trim();
  return { child, link, base: new URL(link).origin, token };
}

async function addCamera({ base, token }, url) {
  const answer = await fetch(`${base}/api/cameras`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Stamped', url }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

const rows = [];
function report(where, transport, delays, first) {
  rows.push({ where, transport, p50: percentile(delays, 0.5), p95: percentile(delays, 0.95), first });
}

async function inChromium(link, withoutWebCodecs) {
  const browser = await chromium.launch({
    executablePath: process.env.ORIEL_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-background-networking'],
  });
  const page = await browser.newPage({ viewport: { width: 1360, height: 860 } });
  if (withoutWebCodecs) await page.addInitScript(() => delete window.VideoDecoder);
  await page.goto(link);
  await page.waitForSelector('[data-channel][data-frames]');
  await page.waitForFunction(() => Number(document.querySelector('[data-channel]')?.dataset.frames) > 30);
  // Leave the page and come back: the recorder and the code are warm, the tile is new.
  const firsts = [];
  for (let i = 0; i < 5; i++) {
    await page.click('a[href$="cameras"]');
    await page.waitForSelector('[data-channel]', { state: 'detached' });
    await page.waitForTimeout(1000);
    firsts.push(
      await page.evaluate(
        () =>
          new Promise((resolve) => {
            const began = performance.now();
            document.querySelector('a[href$="live"]').click();
            const look = () => (Number(document.querySelector('[data-channel]')?.dataset.frames) > 0 ? resolve(performance.now() - began) : requestAnimationFrame(look));
            look();
          }),
      ),
    );
  }
  await page.evaluate(sampler);
  await page.waitForFunction((n) => window.__delays.length >= n, SAMPLES, { timeout: 60_000 });
  const delays = await page.evaluate(() => window.__delays);
  const transport = await page.evaluate(() => document.querySelector('[data-channel]').dataset.transport);
  report('Chromium', transport, delays, percentile(firsts, 0.5));
  await browser.close();
}

async function inWindow(url) {
  const display = start('Xvfb', ['-displayfd', '1', '-screen', '0', '1400x900x24', '-nolisten', 'tcp']);
  const number = (await line(display, /^(\d+)$/))[1];
  const list = join(folder, 'demo.json');
  execFileSync('sh', ['-c', 'cat > "$1"', 'sh', list], { input: JSON.stringify([{ name: 'Stamped', url, low_url: null, username: 'viewer', password: 'unused' }]) });
  const env = { ...process.env, DISPLAY: `:${number}`, ORIEL_SECRETS: 'file', ORIEL_DATA: join(folder, 'window'), ORIEL_DEMO_CAMERAS: list };
  delete env.WAYLAND_DISPLAY;
  start(join(target, 'tools', 'bin', 'tauri-driver'), ['--port', '24444', '--native-port', '24445', '--native-driver', '/usr/bin/WebKitWebDriver'], { env });
  await until('the driver answers', async () => (await fetch('http://127.0.0.1:24444/status')).ok);
  const session = await Session.open('http://127.0.0.1:24444', join(bin, 'oriel'), []);
  await until('the demo camera is offered', () => session.run("const b = [...document.querySelectorAll('button')].find((x) => /demo camera/i.test(x.textContent)); b?.click(); return Boolean(b)"));
  for (const transport of ['webcodecs', 'mse']) {
    if (transport === 'mse') await session.run('delete window.VideoDecoder; document.querySelector(\'a[href$="cameras"]\').click()');
    await until('live', () => session.run('const a = document.querySelector(\'a[href$="live"]\'); a?.click(); return Boolean(a)'));
    await until('pictures', () => session.run("return Number(document.querySelector('[data-channel]')?.dataset.frames) > 30"));
    await session.run(`(${sampler})()`);
    await until('samples', () => session.run(`return window.__delays.length >= ${SAMPLES}`));
    const seen = await session.run("return document.querySelector('[data-channel]').dataset.transport");
    report('Tauri window', seen, await session.run('return window.__delays'));
  }
  await session.close();
}

try {
  const env = { ...process.env, ORIEL_SECRETS: 'file' };
  const url = await camera();
  const served = await recorder(join(folder, 'headless'), env);
  await addCamera(served, url);
  await inChromium(served.link, false);
  const again = execFileSync(join(bin, 'orield'), ['link', '--data', join(folder, 'headless')], { env, encoding: 'utf8' }).match(/http:\/\/\S+/)[0];
  await inChromium(again, true);
  served.child.kill('SIGTERM');
  await inWindow(url);
} finally {
  // What was measured is shown even when a later part did not get so far.
  console.log('\n### Live, 1280x720@30, stamped picture to readable pixel, milliseconds\n');
  console.log('| where | transport | p50 | p95 | of MSE in Chromium | first picture, p50 |\n|---|---|---|---|---|---|');
  const mse = rows.find((r) => r.where === 'Chromium' && r.transport === 'mse')?.p50;
  for (const r of rows) console.log(`| ${r.where} | ${r.transport} | ${r.p50} | ${r.p95} | ${mse ? (r.p50 / mse).toFixed(2) : '-'} | ${r.first === undefined ? '-' : Math.round(r.first)} |`);
  for (const child of children.reverse()) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
