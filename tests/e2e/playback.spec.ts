// Playback: a day's timeline, over borders without a stall, up to what is being written now.
import { expect, signIn, streaming, test, type Camera, type Recorder } from './recorder';
import type { Page } from '@playwright/test';

interface Segment {
  start: string;
  end: string;
  state: string;
}

async function segments(recorder: Recorder, camera: Camera): Promise<Segment[]> {
  const day = 24 * 3600 * 1000;
  const window = `start=${new Date(Date.now() - day).toISOString()}&end=${new Date(Date.now() + day).toISOString()}`;
  return (await recorder.api<{ items: Segment[] }>('GET', `/recordings/segments?camera_id=${camera.id}&${window}`)).items;
}

const playingAt = async (page: Page) => Date.parse((await page.getByTestId('player').getAttribute('data-playing-at')) || '1970-01-01T00:00:00Z');

/** Counts how often the picture had to wait for data from now on. */
async function countStalls(page: Page): Promise<() => Promise<number>> {
  const video = page.getByTestId('playback-video');
  await video.evaluate((v) => {
    v.dataset.stalls = '0';
    v.addEventListener('waiting', () => (v.dataset.stalls = String(Number(v.dataset.stalls) + 1)));
  });
  return async () => Number(await video.getAttribute('data-stalls'));
}

test.describe.serial('a recorded camera', () => {
  let camera: Camera;
  test.beforeAll(async ({ recorder }) => {
    camera = await streaming(recorder, 'Archive', await recorder.camera({ audio: 'Aac' }));
    await expect.poll(async () => (await segments(recorder, camera)).filter((s) => s.state === 'local').length, { timeout: 80_000 }).toBeGreaterThan(3);
  });

  test.afterAll(async ({ recorder }) => {
    await recorder.clear();
  });

  test('plays over segment borders without a stall', async ({ page, recorder }) => {
    const all = await segments(recorder, camera);
    await signIn(page, recorder, `/playback?channel=${camera.channel_id}&at=${all[0].start}`);
    await expect(page.getByTestId('stretch').first()).toBeVisible();
    // A link shows its moment and waits; playing is the viewer's wish.
    await expect(page.getByTestId('player')).toHaveAttribute('data-state', 'paused');
    await page.keyboard.press('Space');
    await expect.poll(() => playingAt(page)).toBeGreaterThan(Date.parse(all[0].start) + 500);
    const stalls = await countStalls(page);
    await expect.poll(() => playingAt(page), { timeout: 60_000 }).toBeGreaterThan(Date.parse(all[2].start) + 500);
    expect(await stalls()).toBe(0);
  });

  test('pauses, steps by segment and changes speed by keyboard', async ({ page, recorder }) => {
    const all = await segments(recorder, camera);
    await signIn(page, recorder, `/playback?channel=${camera.channel_id}&at=${new Date(Date.parse(all[1].start) + 1000).toISOString()}`);
    const player = page.getByTestId('player');
    await expect(player).toHaveAttribute('data-state', 'paused');
    await page.keyboard.press('Space');
    await expect(player).toHaveAttribute('data-state', 'playing');
    await page.keyboard.press('Space');
    await expect(player).toHaveAttribute('data-state', 'paused');
    const stood = await playingAt(page);
    const next = Date.parse((await segments(recorder, camera)).find((s) => Date.parse(s.start) > stood)?.start ?? '');
    await page.getByRole('button', { name: 'Next segment' }).click();
    await expect.poll(async () => Math.abs((await playingAt(page)) - next)).toBeLessThan(500);
    await page.keyboard.press('>');
    await page.keyboard.press('>');
    await expect(player).toHaveAttribute('data-speed', '5');
  });

  test('plays what is being written, seconds after it happened', async ({ page, recorder }) => {
    await signIn(page, recorder, `/playback?channel=${camera.channel_id}`);
    await expect(page.getByTestId('stretch').first()).toBeVisible();
    // It keeps the distance it began with, and that is how long the buffer took to open.
    await expect(async () => {
      await page.getByTestId('go-live').click();
      await expect.poll(async () => Date.now() - (await playingAt(page)), { timeout: 8_000 }).toBeLessThan(6000);
    }).toPass({ timeout: 60_000 });
    const at = await playingAt(page);
    await expect.poll(() => playingAt(page), { timeout: 40_000 }).toBeGreaterThan(at + 8000);
  });

  test('a click on the timeline goes there', async ({ page, recorder }) => {
    await signIn(page, recorder, `/playback?channel=${camera.channel_id}`);
    const stretch = page.getByTestId('stretch').first();
    await expect(stretch).toBeVisible();
    const bar = page.getByTestId('timeline');
    // Zoom in until the stretch is wide enough to hit.
    await expect
      .poll(async () => {
        const box = await stretch.boundingBox();
        if (box && box.width > 60) return box.width;
        await bar.hover({ position: { x: (box?.x ?? 0) - ((await bar.boundingBox())?.x ?? 0) + (box?.width ?? 0) / 2, y: 40 } });
        await page.mouse.wheel(0, -400);
        return 0;
      })
      .toBeGreaterThan(60);
    const box = await stretch.boundingBox();
    if (!box) throw new Error('no stretch');
    const player = page.getByTestId('player');
    await expect(player).toHaveAttribute('data-state', 'paused');
    const whole = await bar.boundingBox();
    if (!whole) throw new Error('no timeline');
    const [start, end] = await bar.evaluate((el) => [Number(el.getAttribute('data-view-start')), Number(el.getAttribute('data-view-end'))]);
    const momentOf = (x: number): number => start + ((x - whole.x) / whole.width) * (end - start);
    // The end of the footage that it does not stand at.
    const x = box.x + box.width * ((await playingAt(page)) < momentOf(box.x + box.width / 2) ? 0.8 : 0.2);
    const clicked = momentOf(x);
    expect(Math.abs((await playingAt(page)) - clicked)).toBeGreaterThan(5_000);
    await page.mouse.click(x, box.y + box.height / 2);
    // A picture's width of rounding, and the way to the next picture.
    await expect.poll(async () => Math.abs((await playingAt(page)) - clicked)).toBeLessThan(3_000);
    await expect(player).toHaveAttribute('data-state', 'paused');
  });
});
