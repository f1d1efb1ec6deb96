// The storage page on a real recorder: a folder as destination, its test, what is kept, and an
// alarm on every page.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, signIn, streaming, test, type Recorder } from './recorder';
import type { Page } from '@playwright/test';

interface Storage {
  settings: { destination: string; folder?: string; has_keys: boolean; uploads_at_once: number; retention_days?: number };
  uploads: { state: string; waiting: number };
  places: { kind: string; root: string; moving_from?: string }[];
}

const tab = (page: Page, name: string) => page.getByRole('tab', { name, exact: true }).click();
const storage = (recorder: Recorder) => recorder.api<Storage>('GET', '/storage');
const save = async (page: Page) => {
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Storage settings saved')).toBeVisible();
};

test.afterAll(async ({ recorder }) => {
  await recorder.clear();
});

test('shows the disk, and that nothing is uploaded yet', async ({ page, recorder }) => {
  await signIn(page, recorder);
  await page.getByRole('link', { name: 'Storage', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Storage', level: 1 })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Disk with the recordings' })).toBeVisible();
  await expect(page.getByRole('img', { name: /used, .* free/ })).toBeVisible();
  await expect(page.getByText('Footage stays on this computer only.', { exact: false })).toBeVisible();
  for (const [name, text] of [['Uploading', 'Uploads at a time'], ['Keeping footage', 'Free space to keep'], ['Folders', 'Approved folders']] as const) {
    await tab(page, name);
    await expect(page.getByText(text, { exact: true })).toBeVisible();
  }
});

test('a folder becomes the destination, tried before it is saved, and footage arrives there', async ({ page, recorder }) => {
  mkdirSync(join(recorder.data, 'copies'));
  await streaming(recorder, 'Porch', await recorder.camera());
  await signIn(page, recorder, '/storage?part=destination');
  await page.getByRole('radio', { name: 'Folder', exact: true }).click();

  // Where the recorder has its own files, no copies may lie; it says so.
  await page.getByRole('button', { name: 'Test connection' }).click();
  await expect(page.getByText('The recorder keeps its own files in this folder.', { exact: false })).toBeVisible();

  await page.getByLabel('Folder in it').fill('copies');
  await page.getByRole('button', { name: 'Test again' }).click();
  await expect(page.getByText(/^The destination works/)).toBeVisible();
  for (const step of ['Write a file', 'Read it back and list it', 'Delete']) {
    await expect(page.getByRole('listitem').filter({ hasText: step })).toContainText('Works');
  }
  expect((await storage(recorder)).settings.destination, 'a test saves nothing').toBe('none');

  await save(page);
  expect((await storage(recorder)).settings).toMatchObject({ destination: 'folder', folder: join(recorder.data, 'copies') });
  await tab(page, 'Overview');
  await expect(page.getByText(join(recorder.data, 'copies'))).toBeVisible();
  await expect.poll(async () => (await storage(recorder)).uploads.state, { timeout: 60_000 }).toMatch(/^(idle|uploading)$/);
  await expect(page.getByText(/^(All uploaded|Uploading)$/).last()).toBeVisible();
  // Names are found again without the recorder: `recordings/<channel>/<year>/<month>/<day>/<start>-<duration>.mp4`.
  const arrived = () => readdirSync(join(recorder.data, 'copies'), { recursive: true }).map(String).filter((name) => /recordings.\w+.\d{4}.\d\d.\d\d.\d+-\d+\.mp4$/.test(name)).length;
  await expect.poll(arrived, { timeout: 60_000 }).toBeGreaterThan(0);
});

test('an access key that is kept can be forgotten, after it is said what that means', async ({ page, recorder }) => {
  await recorder.api('PATCH', '/storage', { destination: 's3', endpoint: 'http://127.0.0.1:9', bucket: 'footage', key_id: 'AKIAEXAMPLE', secret: 'a-secret' });
  await signIn(page, recorder, '/storage?part=destination');
  const forget = page.getByRole('button', { name: 'Forget the kept key' });
  await expect(page.getByLabel('Access key id')).toHaveAttribute('placeholder', 'Kept, unchanged');
  await expect(forget, 'a key that is needed is not offered to be forgotten').toHaveCount(0);
  await page.getByRole('radio', { name: 'Nowhere', exact: true }).click();
  await save(page);
  await forget.click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByText('It is deleted from the secret store of this computer.')).toBeVisible();
  await dialog.getByRole('button', { name: 'Forget the kept key' }).click();
  await expect(dialog).toBeHidden();
  await expect(forget).toBeHidden();
  expect((await storage(recorder)).settings).toMatchObject({ has_keys: false });
});

test('a place is changed to a folder below an approved one, after it is said what that means', async ({ page, recorder }) => {
  mkdirSync(join(recorder.data, 'elsewhere'));
  await signIn(page, recorder, '/storage?part=places');
  const change = page.getByRole('button', { name: 'Change the folder for clips' });
  await change.click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Folder in it').fill('../outside');
  await expect(dialog.getByText('A path below the approved folder, without “..”.')).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Move' })).toBeDisabled();
  await dialog.getByLabel('Folder in it').fill('missing');
  await dialog.getByRole('button', { name: 'Move' }).click();
  await expect(dialog.getByText('There is no such folder.', { exact: false })).toBeVisible();
  await dialog.getByLabel('Folder in it').fill('elsewhere');
  await expect(dialog.getByText(`New files go to ${join(recorder.data, 'elsewhere', 'clips')}`)).toBeVisible();
  await dialog.getByRole('button', { name: 'Move' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText(join(recorder.data, 'elsewhere', 'clips'), { exact: true })).toBeVisible();
  const clips = async () => (await storage(recorder)).places.find((place) => place.kind === 'clips');
  await expect.poll(async () => (await clips())?.moving_from ?? 'moved').toBe('moved');
  expect(await clips()).toMatchObject({ root: join(recorder.data, 'elsewhere') });
});

test('rules are thought about before they are saved, and leaving asks', async ({ page, recorder }) => {
  await signIn(page, recorder, '/storage?part=keeping');
  const days = page.getByLabel('Keep footage');
  await days.fill('x');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Empty, or a whole number from 1 to 3650.')).toBeVisible();
  await days.fill('30');
  await expect(page.getByText(/You will hold about|Not enough footage/)).toBeVisible();

  await page.getByRole('link', { name: 'Events', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByText('Leave without saving?')).toBeVisible();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('heading', { name: 'Storage', level: 1 })).toBeVisible();
  await expect(days).toHaveValue('30');

  await save(page);
  expect((await storage(recorder)).settings.retention_days).toBe(30);
  // What another session sets is taken over while nothing is typed here.
  await recorder.api('PATCH', '/storage', { retention_days: 60 });
  await expect(days).toHaveValue('60');
  await days.fill('7');
  // What somebody types stays, and all else still follows.
  await page.getByRole('tab', { name: 'Uploading', exact: true }).click();
  const hours = page.getByLabel('Keep local copies');
  await recorder.api('PATCH', '/storage', { retention_days: 60, keep_local_hours: 48 });
  await expect(hours).toHaveValue('48');
  await page.getByRole('tab', { name: 'Keeping footage', exact: true }).click();
  await expect(days).toHaveValue('7');
  await page.getByRole('link', { name: 'Events', exact: true }).click();
  await dialog.getByRole('button', { name: 'Leave' }).click();
  await expect(page.getByRole('heading', { name: 'Events', level: 1 })).toBeVisible();
  expect((await storage(recorder)).settings.retention_days).toBe(60);
});

test('a destination that is not there any more is seen on every page', async ({ page, recorder }) => {
  await signIn(page, recorder);
  // What the recorder would say; a real disk cannot be pulled out here.
  await page.route('**/api/storage', async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as Storage & { disk: { level: string; message: string } };
    body.disk = { ...body.disk, level: 'missing', message: 'The disk with the recordings is not there.' };
    await route.fulfill({ response: answer, json: body });
  });
  await page.goto(`${recorder.base}/events`);
  const alarm = page.getByRole('alert').filter({ hasText: 'Disk missing' });
  await expect(alarm).toBeVisible();
  await alarm.getByRole('link', { name: 'Show' }).click();
  await expect(page.getByRole('heading', { name: 'Storage', level: 1 })).toBeVisible();
  await expect(alarm).toBeVisible();
});
