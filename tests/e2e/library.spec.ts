// The library on a real recorder: clips, snapshots and exports, from the wish to the file on disk
// and to its end.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, footage, signIn, streaming, test, type Camera, type Recorder } from './recorder';
import type { Download, Page } from '@playwright/test';

interface Clip {
  url: string;
  bytes: number;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const isMp4 = (bytes: Buffer): boolean => bytes.subarray(4, 8).toString('latin1') === 'ftyp';
const items = async <T>(recorder: Recorder, path: string): Promise<T[]> => (await recorder.api<{ items: T[] }>('GET', path)).items;

/** Clicks what saves a file; gives its name and bytes. */
async function saved(page: Page, click: () => Promise<void>): Promise<{ name: string; bytes: Buffer }> {
  const waiting: Promise<Download> = page.waitForEvent('download');
  await click();
  const download = await waiting;
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** A moment as a field for date and time holds it. */
function local(ms: number): string {
  const at = new Date(ms);
  return new Date(ms - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

test.describe.serial('the library', () => {
  let camera: Camera;
  let second: Camera;
  test.beforeAll(async ({ recorder }) => {
    camera = await streaming(recorder, 'Front door', await recorder.camera());
    second = await streaming(recorder, 'Back yard', await recorder.camera());
  });
  test.afterAll(async ({ recorder }) => {
    await recorder.clear();
  });

  test('says what to do while there is nothing in it', async ({ page, recorder }) => {
    await signIn(page, recorder, '/clips');
    for (const [shelf, title, way] of [
      ['Clips', 'No clips yet', 'Open Playback'],
      ['Snapshots', 'No snapshots yet', 'Open Live'],
      ['Exports', 'No exports yet', 'New export'],
    ] as const) {
      await page.getByRole('tab', { name: shelf, exact: true }).click();
      await expect(page.getByRole('heading', { name: title })).toBeVisible();
      await expect(page.getByRole('tabpanel').getByRole('button', { name: way })).toBeVisible();
    }
    await page.screenshot({ path: 'tests/e2e/results/library-empty.png' });
  });

  test('a clip that ends in the future gets ready by itself, and is named, shared, saved and deleted', async ({ page, recorder, browser }) => {
    await footage(recorder, camera, 8);
    await signIn(page, recorder, `/playback?channel=${camera.channel_id}`);
    await expect(page.getByTestId('player')).toHaveAttribute('data-state', 'paused');
    await page.keyboard.press('i');
    await expect(page.getByTestId('selection-bar')).toBeVisible();
    await page.screenshot({ path: 'tests/e2e/results/clip-selection.png' });
    await page.keyboard.press('c');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Keep recording into this clip').click();
    await page.getByRole('option', { name: '1 minute' }).click();
    await dialog.getByLabel('Name').fill('Parcel 12:30');
    await expect(dialog.getByText(/^It is finished by itself at/)).toBeVisible();
    await page.screenshot({ path: 'tests/e2e/results/clip-dialog.png' });
    await dialog.getByRole('button', { name: 'Make clip' }).click();
    await expect(page.getByText('Making “Parcel 12:30”')).toBeVisible();
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.evaluate(() => (document.body.dataset.loaded = 'once'));

    const row = page.getByTestId('clip');
    await expect(row).toHaveAttribute('data-status', 'in_progress');
    await expect(row.getByText(/^Recording until/)).toBeVisible();
    const progress = row.getByRole('progressbar', { name: 'Progress of Parcel 12:30' });
    const share = async () => Number(await progress.getAttribute('aria-valuenow'));
    const first = await share();
    await page.screenshot({ path: 'tests/e2e/results/clip-progress.png' });
    await expect.poll(share).toBeGreaterThan(first);
    await expect(row).toHaveAttribute('data-status', 'finished', { timeout: 120_000 });
    await expect(page.locator('body'), 'without a reload').toHaveAttribute('data-loaded', 'once');

    await row.getByRole('button', { name: 'Play Parcel 12:30' }).click();
    const video = page.getByTestId('clip-video');
    await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.currentTime)).toBeGreaterThan(1);
    expect(await video.evaluate((v: HTMLVideoElement) => v.duration)).toBeGreaterThan(20);
    await page.screenshot({ path: 'tests/e2e/results/clip-player.png' });
    await dialog.getByRole('button', { name: 'Close' }).last().click();

    await row.getByRole('button', { name: 'More actions for Parcel 12:30' }).click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    const field = row.getByLabel('New name');
    await expect(field).toBeFocused();
    await field.fill('Parcel, šćž 12:31');
    await field.press('Enter');
    await expect(row.getByRole('button', { name: 'Parcel, šćž 12:31', exact: true })).toBeVisible();

    const [clip] = await items<Clip>(recorder, '/clips');
    const file = await saved(page, () => row.getByRole('button', { name: 'Download' }).click());
    expect(file.name).toBe('Parcel, šćž 12-31.mp4');
    expect(isMp4(file.bytes)).toBe(true);
    expect(file.bytes.length).toBe(clip.bytes);
    expect(sha256(file.bytes)).toBe(sha256(Buffer.from(await (await fetch(recorder.base + clip.url)).arrayBuffer())));

    await row.getByRole('button', { name: 'Share' }).click();
    await dialog.getByRole('button', { name: 'Make link' }).click();
    const link = await page.getByTestId('share-link').inputValue();
    await page.screenshot({ path: 'tests/e2e/results/clip-share.png' });
    const stranger = await browser.newContext();
    const theirs = await stranger.newPage();
    await theirs.goto(link);
    await expect.poll(() => theirs.locator('video').evaluate((v: HTMLVideoElement) => v.videoWidth)).toBe(320);
    const refused = [link.replace(/exp=(\d+)/, (_, exp: string) => `exp=${Number(exp) + 3600}`), link.replace(/sig=./, (sig) => (sig === 'sig=A' ? 'sig=B' : 'sig=A'))];
    for (const tampered of refused) {
      expect(tampered).not.toBe(link);
      expect((await theirs.goto(tampered))?.status()).toBe(401);
    }
    await stranger.close();
    await dialog.getByRole('button', { name: 'Close' }).last().click();

    const askDelete = async (): Promise<void> => {
      await row.getByRole('button', { name: /^More actions/ }).click();
      await page.getByRole('menuitem', { name: 'Delete' }).click();
      await expect(dialog.getByText('Delete “Parcel, šćž 12:31”?')).toBeVisible();
    };
    await askDelete();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(row).toBeVisible();
    await askDelete();
    await dialog.getByRole('button', { name: 'Delete clip' }).click();
    await expect(row).toHaveCount(0);
    expect(await items(recorder, '/clips')).toEqual([]);
  });

  test('a snapshot of the live picture and of playback is kept, looked at, saved and deleted', async ({ page, recorder }) => {
    await signIn(page, recorder);
    const tile = page.locator(`[data-channel="${camera.channel_id}"]`);
    await expect.poll(async () => Number(await tile.getAttribute('data-frames'))).toBeGreaterThan(5);
    await tile.hover();
    await tile.getByRole('button', { name: 'Snapshot' }).click();
    const notice = page.getByTestId('snapshot-toast');
    await expect(notice.getByText('Snapshot of Front door')).toBeVisible();
    await page.screenshot({ path: 'tests/e2e/results/snapshot-toast.png' });
    const file = await saved(page, () => notice.getByRole('button', { name: 'Download' }).click());
    expect(file.name).toMatch(/^Front door \d{4}-\d\d-\d\d \d\d-\d\d-\d\d\.jpg$/);
    expect(file.bytes.subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]));

    await page.goto(`${recorder.base}/playback?channel=${camera.channel_id}`);
    await expect(page.getByTestId('player')).toHaveAttribute('data-state', 'paused');
    await page.keyboard.press('s');
    await notice.getByRole('button', { name: 'Show all' }).click();
    await expect(notice, 'the notice is not in the way of what it leads to').toHaveCount(0);
    const pictures = page.getByTestId('thumbnail');
    await expect(pictures).toHaveCount(2);
    await page.screenshot({ path: 'tests/e2e/results/snapshots.png' });

    // That of playback is the older, in the full size of what was recorded.
    await pictures.last().click();
    const dialog = page.getByRole('dialog').filter({ has: page.getByTestId('snapshot') });
    await expect.poll(() => page.getByTestId('snapshot').evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(320);
    await page.screenshot({ path: 'tests/e2e/results/snapshot-viewer.png' });
    const shown = await saved(page, () => dialog.getByRole('button', { name: 'Download' }).click());
    expect(shown.bytes.subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]));
    // The next one is shown, until none is left.
    for (const left of [1, 0]) {
      await expect(dialog).toBeVisible();
      await page.keyboard.press('Delete');
      await page.getByRole('button', { name: 'Delete snapshot' }).click();
      await expect(page.getByRole('button', { name: 'Delete snapshot' })).toHaveCount(0);
      await expect(pictures).toHaveCount(left);
    }
    await expect(page.getByRole('heading', { name: 'No snapshots of this camera' })).toBeVisible();
    expect(await items(recorder, '/snapshots')).toEqual([]);
  });

  test('an export of two cameras tells its progress, is saved with its manifest, and deleted', async ({ page, recorder }) => {
    const both = [await footage(recorder, camera, 12), await footage(recorder, second, 12)];
    const [from, to] = [Math.max(...both.map((b) => b.start)) + 2_000, Math.min(...both.map((b) => b.end)) - 2_000];
    await signIn(page, recorder, '/exports');
    // A small export is quick: what the list showed on the way is noted as it happens.
    await page.evaluate(() => {
      const seen = new Set<string>();
      new MutationObserver(() => {
        const job = document.querySelector<HTMLElement>('[data-testid=export]');
        if (job?.querySelector('[role=progressbar]')) seen.add('progress');
        document.body.dataset.seen = [...seen].join(' ');
      }).observe(document.body, { subtree: true, childList: true });
    });
    await page.getByRole('button', { name: 'New export' }).first().click();
    const dialog = page.getByRole('dialog');
    for (const name of ['Front door', 'Back yard']) await dialog.getByLabel(name).check();
    await dialog.getByLabel('From').fill(local(from));
    await dialog.getByLabel('To', { exact: true }).fill(local(to));
    await page.screenshot({ path: 'tests/e2e/results/export-dialog.png' });
    await dialog.getByRole('button', { name: 'Export', exact: true }).click();
    const job = page.getByTestId('export');
    await expect(job).toHaveAttribute('data-status', 'finished', { timeout: 60_000 });
    expect(await page.locator('body').getAttribute('data-seen')).toBe('progress');
    await expect(job.getByTestId('export-part')).toHaveCount(2);
    await page.screenshot({ path: 'tests/e2e/results/exports.png' });

    const proof = await saved(page, () => job.getByRole('button', { name: 'Manifest' }).click());
    expect(proof.name).toBe('manifest.json');
    const manifest = JSON.parse(proof.bytes.toString('utf8')) as { files: { file: string; sha256: string }[] };
    expect(manifest.files).toHaveLength(2);
    for (const name of ['Front door', 'Back yard']) {
      const part = await saved(page, () => job.getByRole('button', { name: `Download ${name}` }).click());
      expect(isMp4(part.bytes)).toBe(true);
      expect(manifest.files.find((f) => f.file === part.name)?.sha256).toBe(sha256(part.bytes));
    }

    await job.getByRole('button', { name: 'Delete export' }).click();
    await expect(dialog.getByText('Delete this export?')).toBeVisible();
    await dialog.getByRole('button', { name: 'Delete export' }).click();
    await expect(job).toHaveCount(0);
    expect(await items(recorder, '/recordings/export')).toEqual([]);
  });
});
