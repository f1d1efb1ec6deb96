// A real recorder for a test worker: `orield serve` on a folder of its own, with test cameras.
// Any console error or failed page fails the test that caused it.
import { test as base, expect, type Page } from '@playwright/test';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const folder = process.env.ORIEL_BIN_DIR ?? join(import.meta.dirname, '..', '..', 'target', 'debug');
export const program = (name: string): string => join(folder, process.platform === 'win32' ? `${name}.exe` : name);

export interface Camera {
  id: string;
  channel_id: string;
  name: string;
  url: string;
  state: string;
}

export interface StreamOptions {
  video: string;
  audio: string;
  width: number;
  height: number;
  look: unknown;
}

export interface TestCamera {
  process: ChildProcess;
  url: string;
  low_url: string;
  port: number;
}

/** The first line of a program's output that matches, or an error when it ends before. */
export function firstLine(child: ChildProcess, pattern: RegExp): Promise<RegExpMatchArray> {
  return new Promise((resolve, reject) => {
    if (!child.stdout) throw new Error('no output');
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const match = line.match(pattern);
      if (match) resolve(match);
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
    child.once('error', reject);
  });
}

export async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

export class Recorder {
  readonly data = mkdtempSync(join(tmpdir(), 'oriel-e2e-'));
  private child?: ChildProcess;
  private cameras: ChildProcess[] = [];
  base = '';
  link = '';
  token = '';

  async start(demoList?: string): Promise<void> {
    const port = await freePort();
    const args = ['serve', '--data', this.data, '--listen', `127.0.0.1:${port}`];
    if (demoList) args.push('--demo-cameras', demoList);
    const env = { ...process.env, ORIEL_SECRETS: 'file' };
    this.child = spawn(program('orield'), args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.link = (await firstLine(this.child, /(http:\/\/\S+\/open\?code=\S+)/))[1];
    this.base = `http://127.0.0.1:${port}`;
    this.token = execFileSync(program('orield'), ['token', '--data', this.data], { env, encoding: 'utf8' }).trim();
  }

  async api<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.base}/api${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Starts the demonstration cameras and gives the list the recorder can be started with. */
  async demoCameras(): Promise<string> {
    const list = join(this.data, 'demo.json');
    const child = spawn(program('oriel-demo-cameras'), ['--out', list], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.cameras.push(child);
    await firstLine(child, /ready/);
    return list;
  }

  /** A small test camera as `crates/testkit` describes it; gives the addresses of its streams. */
  async camera(stream: Partial<StreamOptions> = {}, port?: number): Promise<TestCamera> {
    const child = spawn(program('oriel-test-camera'), [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.cameras.push(child);
    const options = {
      stream: { video: 'H264', width: 320, height: 180, fps: 15, gop: 15, bitrate: 500, bframes: false, audio: 'None', audio_behaviour: 'Normal', look: { Named: 'Test' }, ...stream },
      source: 'Live', low: true, auth: 'None', port: port ?? null, rtcp: true,
    };
    child.stdin?.write(`${JSON.stringify(options)}\n`);
    const used = (await firstLine(child, /^ready (\d+)/))[1];
    return { process: child, url: `rtsp://127.0.0.1:${used}/high`, low_url: `rtsp://127.0.0.1:${used}/low`, port: Number(used) };
  }

  /** Removes all cameras and ends those that were started; what they recorded stays. */
  async clear(): Promise<void> {
    for (const { id } of (await this.api<{ items: Camera[] }>('GET', '/cameras')).items) await this.remove(id);
    for (const camera of this.cameras.splice(0)) camera.kill('SIGKILL');
  }

  /** Removes a camera; what it recorded stays. */
  async remove(id: string): Promise<void> {
    const answer = await fetch(`${this.base}/api/cameras/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${this.token}` } });
    expect(answer.ok).toBe(true);
  }

  async newLink(): Promise<string> {
    const out = execFileSync(program('orield'), ['link', '--data', this.data], { env: { ...process.env, ORIEL_SECRETS: 'file' }, encoding: 'utf8' });
    const link = out.match(/http:\/\/\S+/)?.[0];
    if (!link) throw new Error(`no link in: ${out}`);
    return link;
  }

  async stop(): Promise<void> {
    for (const camera of this.cameras) camera.kill('SIGKILL');
    if (this.child && this.child.exitCode === null) {
      const ended = new Promise((resolve) => this.child?.once('exit', resolve));
      this.child.kill('SIGTERM');
      const late = setTimeout(() => this.child?.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    }
    rmSync(this.data, { recursive: true, force: true });
  }

  note(name: string, text: string): string {
    const path = join(this.data, name);
    writeFileSync(path, text);
    return path;
  }
}

export const test = base.extend<{ strict: void }, { recorder: Recorder }>({
  recorder: [
    async ({}, use) => {
      const recorder = new Recorder();
      await recorder.start();
      await recorder.api('PATCH', '/settings', { segment_seconds: 5 });
      await use(recorder);
      await recorder.stop();
    },
    { scope: 'worker' },
  ],
  // Every test fails on an error in the console or an exception in the page.
  strict: [
    async ({ page }, use) => {
      const faults: string[] = [];
      page.on('console', (message) => {
        // A refusal is an answer, which the browser notes as a failed load.
        const answer = /\/api\/(cameras\/probe|storage\/(test|places))$/.test(message.location().url);
        if (message.type() === 'error' && !answer) faults.push(message.text());
      });
      page.on('pageerror', (error) => faults.push(String(error)));
      await use();
      expect(faults, 'errors in the console').toEqual([]);
    },
    { auto: true },
  ],
});
export { expect };

/** Opens a page signed in, by a fresh one-time link. */
export async function signIn(page: Page, recorder: Recorder, path = '/live'): Promise<void> {
  const pages = page.getByRole('navigation', { name: 'Pages' });
  await page.goto(await recorder.newLink());
  await expect(pages).toBeVisible();
  if (path === '/live') return;
  await page.goto(`${recorder.base}${path}`);
  // A loaded document still asks who is there: keys mean nothing before it knows.
  await expect(pages).toBeVisible();
}

/** Adds a camera through the API and waits until it streams. */
export async function streaming(recorder: Recorder, name: string, camera: TestCamera): Promise<Camera> {
  const added = await recorder.api<Camera>('POST', '/cameras', { name, url: camera.url, low_url: camera.low_url });
  await expect.poll(async () => (await recorder.api<Camera>('GET', `/cameras/${added.id}`)).state).toBe('streaming');
  return added;
}

interface Stretch {
  start: string;
  end: string;
}

/** Waits for so many seconds of footage of a camera without a hole; gives from when to when it goes. */
export async function footage(recorder: Recorder, camera: Camera, seconds: number): Promise<{ start: number; end: number }> {
  let newest: Stretch | undefined;
  const length = async (): Promise<number> => {
    const window = `start=${new Date(Date.now() - 3_600_000).toISOString()}&end=${new Date(Date.now() + 60_000).toISOString()}`;
    const { stretches } = await recorder.api<{ stretches: Stretch[] }>('GET', `/channels/${camera.channel_id}/timeline?${window}`);
    newest = stretches.at(-1);
    return newest ? (Date.parse(newest.end) - Date.parse(newest.start)) / 1000 : 0;
  };
  await expect.poll(length, { timeout: 80_000 }).toBeGreaterThan(seconds);
  if (!newest) throw new Error('no footage');
  return { start: Date.parse(newest.start), end: Date.parse(newest.end) };
}
