// Adding, testing, changing and removing cameras.
import { expect, signIn, test, type Camera } from './recorder';

test('a camera is tested, added and recorded from that moment', async ({ page, recorder }) => {
  const camera = await recorder.camera();
  await signIn(page, recorder, '/cameras');
  await page.getByRole('button', { name: 'Add camera' }).or(page.getByRole('button', { name: 'Add a camera' })).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: true }).fill('Front door');
  await dialog.getByLabel('RTSP address').fill(camera.url);
  await dialog.getByRole('button', { name: 'Test', exact: true }).click();
  await expect(dialog.getByText(/The camera works/)).toBeVisible({ timeout: 40_000 });
  await expect(dialog.getByText(/320 ?× ?180/)).toBeVisible();
  await dialog.getByRole('button', { name: 'Add camera' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText('Front door').first()).toBeVisible();
  const listed = async () => (await recorder.api<{ items: Camera[] }>('GET', '/cameras')).items.find((c) => c.name === 'Front door');
  await expect.poll(async () => (await listed())?.state).toBe('streaming');
  // The recorder is everybody's: other tests have a front door of their own.
  const added = await listed();
  if (added) await recorder.remove(added.id);
});

test('wrong addresses get answers a person can act on', async ({ page, recorder }) => {
  await signIn(page, recorder, '/cameras');
  await page.getByRole('button', { name: 'Add camera' }).or(page.getByRole('button', { name: 'Add a camera' })).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: true }).fill('Nowhere');
  await dialog.getByLabel('RTSP address').fill('rtsp://127.0.0.1:9/stream');
  await dialog.getByRole('button', { name: 'Test', exact: true }).click();
  await expect(dialog.getByText('Cannot be reached', { exact: true })).toBeVisible({ timeout: 40_000 });
  await dialog.getByLabel('RTSP address').fill('ftp://127.0.0.1/stream');
  await dialog.getByRole('button', { name: /^Test/ }).click();
  await expect(dialog.getByText(/The address begins with rtsp/)).toBeVisible();
  await page.keyboard.press('Escape');
});

test('a pasted user and password move to their own fields', async ({ page, recorder }) => {
  await signIn(page, recorder, '/cameras');
  await page.getByRole('button', { name: 'Add camera' }).or(page.getByRole('button', { name: 'Add a camera' })).first().click();
  const dialog = page.getByRole('dialog');
  const address = dialog.getByLabel('RTSP address');
  await address.fill('rtsp://admin:p%40ss%23@camera.invalid/1');
  await address.blur();
  await expect(address).toHaveValue('rtsp://camera.invalid/1');
  await expect(dialog.getByLabel('User name')).toHaveValue('admin');
  await page.keyboard.press('Escape');
});

test('a camera is deleted after it is asked about', async ({ page, recorder }) => {
  const camera = await recorder.camera();
  await recorder.api('POST', '/cameras', { name: 'Short lived', url: camera.url });
  await signIn(page, recorder, '/cameras');
  await page.getByRole('button', { name: 'More actions for Short lived' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('alertdialog').or(page.getByRole('dialog')).getByRole('button', { name: 'Delete camera' }).click();
  await expect.poll(async () => (await recorder.api<{ items: Camera[] }>('GET', '/cameras')).items.some((c) => c.name === 'Short lived')).toBe(false);
});
