// How the library looks with something in it, to everyone and on a narrow screen; and what is kept
// on the timeline.
import { expectAccessible, THEMES, wear } from './axe';
import { expect, footage, signIn, streaming, test, type Camera, type Recorder } from './recorder';
import type { Page } from '@playwright/test';

const SHELVES = ['clips', 'snapshots', 'exports'] as const;
const iso = (ms: number): string => new Date(ms).toISOString();

/** Waits until every job of the library has come to its end. */
async function settled(recorder: Recorder): Promise<void> {
  const open = async (): Promise<number> => {
    const lists = await Promise.all(['/clips', '/snapshots', '/recordings/export'].map((path) => recorder.api<{ items: { status: string }[] }>('GET', path)));
    return lists.flatMap((list) => list.items).filter((item) => ['in_progress', 'pending', 'queued', 'running'].includes(item.status)).length;
  };
  await expect.poll(open, { timeout: 60_000 }).toBe(0);
}

/** How far what is shown reaches beyond the screen. */
const sideways = (page: Page): Promise<number> =>
  page.evaluate(() => Math.max(...[document.documentElement, ...document.querySelectorAll('#content, #content .page')].map((e) => e.scrollWidth - e.clientWidth)));

/** Shift and a drag over the middle of the footage that is in view. */
async function selectFootage(page: Page): Promise<void> {
  const box = await page.getByTestId('stretch').last().boundingBox();
  if (!box) throw new Error('no stretch');
  const y = box.y + box.height / 2;
  await page.keyboard.down('Shift');
  await page.mouse.move(box.x + box.width * 0.3, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, y, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.up('Shift');
  await expect(page.getByTestId('selection-bar')).toBeVisible();
}

test.describe.serial('with something in it', () => {
  let camera: Camera;
  test.beforeAll(async ({ recorder }) => {
    camera = await streaming(recorder, 'Loading bay', await recorder.camera());
    const { start, end } = await footage(recorder, camera, 12);
    const channel = camera.channel_id;
    await recorder.api('POST', '/clips', { channel_id: channel, start: iso(start), end: iso(end), name: 'Delivery' });
    // It begins before the camera was there.
    await recorder.api('POST', '/clips', { channel_id: channel, start: iso(start - 60_000), end: iso(end), name: 'A clip with a rather long name that somebody typed in a hurry' });
    await recorder.api('POST', `/channels/${channel}/snapshots`, { source: 'agent' });
    await recorder.api('POST', '/recordings/export', { camera_ids: [camera.id], start: iso(start - 60_000), end: iso(end) });
    await settled(recorder);
  });
  test.afterAll(async ({ recorder }) => {
    await recorder.clear();
  });

  for (const shelf of SHELVES) {
    test(`everyone can use ${shelf}, and nothing of it is beyond a narrow screen`, async ({ page, recorder }) => {
      await signIn(page, recorder, `/${shelf}`);
      const row = page.getByTestId({ clips: 'clip', snapshots: 'thumbnail', exports: 'export' }[shelf]);
      await expect(row.first()).toBeVisible();
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      await expectAccessible(page, shelf);
      for (const [size, width, height] of [['wide', 1360, 860], ['narrow', 390, 844]] as const) {
        await page.setViewportSize({ width, height });
        for (const theme of THEMES) {
          await wear(page, theme);
          expect(await sideways(page), `${size}, ${theme}`).toBe(0);
          await page.screenshot({ path: `tests/e2e/results/${shelf}-${size}-${theme}.png` });
        }
      }
    });
  }

  test('storage is not wider than a narrow screen', async ({ page, recorder }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await signIn(page, recorder, '/storage');
    for (const part of ['Overview', 'Destination', 'Uploading', 'Keeping footage', 'Folders']) {
      await page.getByRole('tab', { name: part, exact: true }).click();
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      expect(await sideways(page), part).toBe(0);
      await page.screenshot({ path: `tests/e2e/results/storage-narrow-${part.split(' ')[0].toLowerCase()}.png` });
    }
  });

  test('a range is protected and a moment marked on the timeline, and the protection lifted', async ({ page, recorder }) => {
    await signIn(page, recorder, `/playback?channel=${camera.channel_id}`);
    await expect(page.getByTestId('player')).toHaveAttribute('data-state', 'paused');
    await selectFootage(page);
    await page.getByRole('button', { name: 'Protect', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Why').fill('Police asked');
    await dialog.getByRole('button', { name: 'Protect' }).click();
    await expect(page.getByText('Footage protected')).toBeVisible();
    const band = page.getByRole('button', { name: /^Protected from .*: Police asked$/ });
    await expect(band).toBeVisible();

    await page.keyboard.press('Escape');
    await page.keyboard.press('b');
    await dialog.getByLabel('What is it').fill('The lorry came');
    await dialog.getByRole('button', { name: 'Mark', exact: true }).click();
    await expect(page.getByTestId('mark').and(page.getByTitle(/The lorry came$/))).toBeVisible();
    await page.screenshot({ path: 'tests/e2e/results/playback-kept.png' });
    await expectAccessible(page, 'playback with what is kept');

    await band.click();
    await page.getByRole('button', { name: 'Lift protection' }).click();
    await expect(dialog.getByText('Lift this protection?')).toBeVisible();
    await dialog.getByRole('button', { name: 'Lift protection' }).click();
    await expect(band).toHaveCount(0);
    expect((await recorder.api<{ items: unknown[] }>('GET', `/channels/${camera.channel_id}/protections`)).items).toEqual([]);
    await page.getByRole('link', { name: 'Events', exact: true }).click();
    await expect(page.getByText('The lorry came').first()).toBeVisible();
  });
});
