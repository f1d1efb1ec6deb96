// Who may see anything: a one-time link opens a session, once.
import { expect, signIn, test } from './recorder';

test('without a session there is only the sign-in page, and the API says no', async ({ page, recorder }) => {
  await page.goto(recorder.base);
  await expect(page.getByRole('heading', { name: 'Sign in to Oriel' })).toBeVisible();
  const answer = await fetch(`${recorder.base}/api/cameras`);
  expect(answer.status).toBe(401);
});

test('a link works once and the second time says what to do', async ({ page, browser, recorder }) => {
  const link = await recorder.newLink();
  await page.goto(link);
  await expect(page.getByRole('navigation', { name: 'Pages' })).toBeVisible();
  const other = await browser.newContext();
  const again = await other.newPage();
  await again.goto(link);
  await expect(again.getByText('orield link')).toBeVisible();
  await other.close();
});

test('every page is reached by keyboard and survives a reload', async ({ page, recorder }) => {
  await signIn(page, recorder);
  for (const [key, name] of [['2', 'Playback'], ['3', 'Library'], ['4', 'Cameras'], ['5', 'Events'], ['6', 'Storage'], ['7', 'Settings'], ['1', 'Live']]) {
    await page.keyboard.press(key);
    await expect(page.getByRole('link', { name, exact: true })).toHaveAttribute('aria-current', 'page');
  }
  await page.keyboard.press('7');
  await page.reload();
  await expect(page.getByRole('link', { name: 'Settings', exact: true })).toHaveAttribute('aria-current', 'page');
});
