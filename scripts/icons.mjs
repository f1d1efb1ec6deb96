// npm run icons: every size of the icon from icons/oriel.svg. Run it after changing the drawing.

import { chromium } from '@playwright/test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmInstall, root } from './steps.mjs';

const FILES = { '32x32.png': 32, '64x64.png': 64, '128x128.png': 128, '128x128@2x.png': 256, 'icon.png': 512 };
const ICO = [16, 24, 32, 48, 64, 256];
// Types of PNG entries in an icns file, by size.
const ICNS = { ic11: 32, ic12: 64, ic07: 128, ic08: 256, ic09: 512, ic10: 1024 };

/** An ICO file: a directory of PNG pictures. */
function ico(pictures) {
  const head = Buffer.alloc(6 + 16 * pictures.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(pictures.length, 4);
  let offset = head.length;
  pictures.forEach(({ size, png }, i) => {
    const at = 6 + 16 * i;
    head.writeUInt8(size % 256, at);
    head.writeUInt8(size % 256, at + 1);
    head.writeUInt16LE(1, at + 4);
    head.writeUInt16LE(32, at + 6);
    head.writeUInt32LE(png.length, at + 8);
    head.writeUInt32LE(offset, at + 12);
    offset += png.length;
  });
  return Buffer.concat([head, ...pictures.map((p) => p.png)]);
}

/** An ICNS file: a list of PNG pictures, each with a four-letter type. */
function icns(entries) {
  const chunk = (type, body) => {
    const head = Buffer.alloc(8);
    head.write(type, 0, 'ascii');
    head.writeUInt32BE(body.length + 8, 4);
    return Buffer.concat([head, body]);
  };
  return chunk('icns', Buffer.concat(entries.map(([type, png]) => chunk(type, png))));
}

npmInstall(root);
const svg = readFileSync(join(root, 'icons', 'oriel.svg'), 'utf8');
const browser = await chromium.launch({ executablePath: process.env.ORIEL_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage();
const drawn = new Map();
async function draw(size) {
  if (!drawn.has(size)) {
    await page.setViewportSize({ width: size, height: size });
    await page.setContent(`<style>html,body{margin:0;background:transparent}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`);
    drawn.set(size, await page.screenshot({ omitBackground: true }));
  }
  return drawn.get(size);
}
for (const [name, size] of Object.entries(FILES)) writeFileSync(join(root, 'icons', name), await draw(size));
const pictures = [];
for (const size of ICO) pictures.push({ size, png: await draw(size) });
writeFileSync(join(root, 'icons', 'icon.ico'), ico(pictures));
const entries = [];
for (const [type, size] of Object.entries(ICNS)) entries.push([type, await draw(size)]);
writeFileSync(join(root, 'icons', 'icon.icns'), icns(entries));
await browser.close();
