// Everyone can use the page: no WCAG 2 A or AA fault on any page or dialog, dark and light, and
// nothing that opens leaves the page behind it dead.
import { expectAccessible } from './axe';
import { expect, footage, signIn, streaming, test, type Camera, type Recorder, type TestCamera } from './recorder';
import type { Page } from '@playwright/test';

const addCamera = (page: Page) => page.getByRole('button', { name: 'Add camera' }).first().click();

test.describe.serial('without a WCAG 2 AA fault:', () => {
  let source: TestCamera;
  let camera: Camera;
  test.afterAll(async ({ recorder }) => {
    await recorder.clear();
  });

  test('sign-in', async ({ page, recorder }) => {
    await page.goto(recorder.base);
    await expect(page.getByRole('heading', { name: 'Sign in to Oriel' })).toBeVisible();
    await expectAccessible(page, 'sign-in');
  });

  test('first run', async ({ page, recorder }) => {
    await recorder.clear();
    await signIn(page, recorder);
    await expect(page.getByRole('button', { name: 'Add a camera' })).toBeVisible();
    await expectAccessible(page, 'first run');
  });

  test('live', async ({ page, recorder }) => {
    source = await recorder.camera();
    camera = await streaming(recorder, 'Porch', source);
    await recorder.api('POST', '/cameras', { name: 'Nowhere', url: 'rtsp://127.0.0.1:9/none' });
    await signIn(page, recorder);
    const tile = page.locator(`[data-channel="${camera.channel_id}"]`);
    await expect.poll(async () => Number(await tile.getAttribute('data-frames'))).toBeGreaterThan(3);
    await expectAccessible(page, 'live');
    await page.keyboard.press('i');
    await tile.hover();
    await expectAccessible(page, 'live with details');
  });

  test('playback', async ({ page, recorder }) => {
    await footage(recorder, camera, 0);
    await signIn(page, recorder, `/playback?channel=${camera.channel_id}`);
    await expect(page.getByTestId('stretch').first()).toBeVisible();
    await expect(page.getByTestId('player')).toHaveAttribute('data-state', 'paused');
    await expectAccessible(page, 'playback');
    await page.getByTestId('day').click();
    await expectAccessible(page, 'playback with its calendar');
  });

  test('cameras and their dialogs', async ({ page, recorder }) => {
    await signIn(page, recorder, '/cameras');
    await page.getByRole('button', { name: /^Porch/ }).click();
    await page.getByRole('button', { name: /^Nowhere/ }).click();
    await expect(page.getByText('Cannot be reached').first()).toBeVisible();
    await expectAccessible(page, 'cameras');

    await page.getByRole('button', { name: 'More actions for Porch' }).click();
    await expect(page.getByRole('menu')).toBeVisible();
    await expectAccessible(page, 'camera menu');
    await page.getByRole('menuitem', { name: 'Recording settings' }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await expectAccessible(page, 'recording settings');
    await page.keyboard.press('Escape');

    await addCamera(page);
    const dialog = page.getByRole('dialog');
    await expectAccessible(page, 'add camera');
    await dialog.getByLabel('Name', { exact: true }).fill('Back door');
    await dialog.getByLabel('RTSP address').fill(source.url);
    await dialog.getByRole('button', { name: 'Test', exact: true }).click();
    await expect(dialog.getByText(/The camera works/)).toBeVisible({ timeout: 40_000 });
    await expectAccessible(page, 'add camera, tested');
    await dialog.getByLabel('RTSP address').fill('ftp://127.0.0.1/');
    await dialog.getByRole('button', { name: /^Test/ }).click();
    await expect(dialog.getByText(/The address begins with rtsp/)).toBeVisible();
    await expectAccessible(page, 'add camera, wrong address');
  });

  for (const name of ['events', 'settings']) {
    test(name, async ({ page, recorder }) => {
      await signIn(page, recorder, `/${name}`);
      await expect(page.getByText(name === 'events' ? 'Oriel started' : 'About this recorder').first()).toBeVisible();
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      await expectAccessible(page, name);
    });
  }

  test('storage and its parts', async ({ page, recorder }) => {
    await signIn(page, recorder, '/storage');
    for (const part of ['Overview', 'Destination', 'Uploading', 'Keeping footage', 'Folders']) {
      await page.getByRole('tab', { name: part, exact: true }).click();
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      if (part === 'Destination') {
        for (const kind of ['Folder', 'S3 bucket']) {
          await page.getByRole('radio', { name: kind, exact: true }).click();
          await page.getByRole('button', { name: 'Test connection' }).or(page.getByRole('button', { name: 'Test again' })).click();
          await expect(page.getByText(kind === 'Folder' ? 'The destination cannot be used' : 'Give the name of the bucket.')).toBeVisible();
          await expectAccessible(page, `storage, ${kind}`);
        }
      }
      await expectAccessible(page, `storage, ${part}`);
    }
    await page.getByRole('button', { name: 'Change the folder for clips' }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await expectAccessible(page, 'storage, a folder to be changed');
  });

  test('shortcuts, which list the keys of every page', async ({ page, recorder }) => {
    await signIn(page, recorder, '/settings');
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog');
    for (const group of ['Everywhere', 'Live', 'Playback', 'Cameras']) await expect(dialog.getByRole('heading', { name: group, exact: true })).toBeVisible();
    for (const text of ['Go to Events', 'Move the tile', 'One picture back or forward', 'Add a camera']) await expect(dialog.getByText(text, { exact: true })).toBeVisible();
    await expectAccessible(page, 'shortcuts');
  });
});

test('a menu that opened a dialog leaves a page that can be clicked', async ({ page, recorder }) => {
  const shed = await streaming(recorder, 'Shed', await recorder.camera());
  const { name } = shed;
  await signIn(page, recorder, '/cameras');
  for (const item of ['Edit', 'Recording settings', 'Delete']) {
    await page.getByRole('button', { name: `More actions for ${name}` }).click();
    await page.getByRole('menuitem', { name: item }).click();
    const dialog = page.getByRole('dialog').or(page.getByRole('alertdialog'));
    await expect(dialog).toBeVisible();
    // The dialog itself takes clicks, and so does the page once it is gone.
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(dialog).toBeHidden();
    await expect.poll(() => page.evaluate(() => getComputedStyle(document.body).pointerEvents)).toBe('auto');
    const row = page.getByRole('button', { name: new RegExp(`^${name}`) });
    const before = await row.getAttribute('aria-expanded');
    await row.click();
    await expect(row).not.toHaveAttribute('aria-expanded', before ?? '');
  }
  // A menu that is left without choosing, too.
  await page.getByRole('button', { name: `More actions for ${name}` }).click();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('menu')).toBeHidden();
  await page.getByRole('link', { name: 'Events', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Events', level: 1 })).toBeVisible();
  await recorder.remove(shed.id);
});
