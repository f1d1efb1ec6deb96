// Live tiles: every transport paints, falls back with a reason, and heals.
import { expect, signIn, streaming, test, type Camera } from './recorder';

// Decoders and encoders of other tests would take the time this one needs.
test.afterEach(async ({ recorder }) => {
  await recorder.clear();
});

const frames = (channel: string) => `[data-channel="${channel}"]`;

test('a tile paints over WebCodecs and shows its state and delay', async ({ page, recorder }) => {
  const camera = await streaming(recorder, 'Hall', await recorder.camera());
  await signIn(page, recorder);
  const tile = page.locator(frames(camera.channel_id));
  await expect.poll(async () => Number(await tile.getAttribute('data-frames'))).toBeGreaterThan(20);
  await expect(tile).toHaveAttribute('data-transport', 'webcodecs');
  await expect(tile).toHaveAttribute('data-delay-ms', /^\d+$/);
});

test('without WebCodecs MSE is used and the tile says why', async ({ page, recorder }) => {
  await page.addInitScript(() => Reflect.deleteProperty(window, 'VideoDecoder'));
  const camera = await streaming(recorder, 'Stairs', await recorder.camera({ audio: 'Aac' }));
  await signIn(page, recorder);
  const tile = page.locator(frames(camera.channel_id));
  await expect(tile).toHaveAttribute('data-transport', 'mse');
  await expect.poll(async () => Number(await tile.getAttribute('data-frames'))).toBeGreaterThan(20);
});

test('H.265 this browser cannot play is said, and the low profile is shown', async ({ page, recorder }) => {
  const camera = await streaming(recorder, 'Yard', await recorder.camera({ video: 'H265' }));
  await signIn(page, recorder);
  const tile = page.locator(frames(camera.channel_id));
  await expect.poll(async () => Number(await tile.getAttribute('data-frames'))).toBeGreaterThan(3);
  const able = await page.evaluate(() => MediaSource.isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"'));
  if (!able) {
    await expect(tile).toHaveAttribute('data-quality', 'low');
    await expect(tile).toHaveAttribute('data-transport', /webcodecs|mse/);
  }
});

test('without any decoder single pictures are shown', async ({ page, recorder }) => {
  await page.addInitScript(() => {
    Reflect.deleteProperty(window, 'VideoDecoder');
    Reflect.deleteProperty(window, 'MediaSource');
    Reflect.deleteProperty(window, 'ManagedMediaSource');
  });
  const source = await recorder.camera();
  const camera = await streaming(recorder, 'Cellar', source);
  await signIn(page, recorder);
  const tile = page.locator(frames(camera.channel_id));
  await expect(tile).toHaveAttribute('data-transport', 'jpeg');
  await expect.poll(async () => Number(await tile.getAttribute('data-frames'))).toBeGreaterThan(3);
  await expect(tile).toHaveAttribute('data-state', 'playing');
  await expect(tile).toHaveAttribute('data-delay-ms', /^\d+$/);
  // The last picture stays, but nobody may take it for live.
  source.process.kill('SIGKILL');
  await expect(tile).not.toHaveAttribute('data-state', 'playing');
  const before = Number(await tile.getAttribute('data-frames'));
  await recorder.camera({}, source.port);
  await expect.poll(async () => Number(await tile.getAttribute('data-frames')), { timeout: 60_000 }).toBeGreaterThan(before + 2);
  await expect(tile).toHaveAttribute('data-state', 'playing');
});

test('a lost camera is said on its tile and the tile heals', async ({ page, recorder }) => {
  const source = await recorder.camera();
  const camera = await streaming(recorder, 'Gate', source);
  await signIn(page, recorder);
  const tile = page.locator(frames(camera.channel_id));
  await expect.poll(async () => Number(await tile.getAttribute('data-frames'))).toBeGreaterThan(5);
  source.process.kill('SIGKILL');
  await expect.poll(async () => (await recorder.api<Camera>('GET', `/cameras/${camera.id}`)).state).not.toBe('streaming');
  await expect(tile.getByText(/Trying again|Cannot be reached|Camera closed|Connection lost|Connecting/).first()).toBeVisible();
  const before = Number(await tile.getAttribute('data-frames'));
  await recorder.camera({}, source.port);
  await expect.poll(async () => Number(await tile.getAttribute('data-frames')), { timeout: 60_000 }).toBeGreaterThan(before + 5);
});

test('one tile fills the wall by keyboard, and all come back', async ({ page, recorder }) => {
  for (const name of ['Left', 'Right']) await streaming(recorder, name, await recorder.camera());
  await signIn(page, recorder);
  const tiles = page.getByTestId('live-tile');
  const visible = () => tiles.filter({ visible: true }).count();
  await expect.poll(visible).toBeGreaterThan(1);
  await tiles.first().focus();
  await page.keyboard.press('Enter');
  await expect.poll(visible).toBe(1);
  await page.keyboard.press('Escape');
  await expect.poll(visible).toBeGreaterThan(1);
});
