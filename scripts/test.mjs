// npm test: installs what is missing and runs every test there is.

import { join } from 'node:path';
import { buildPage, cargoTool, npmInstall, root, run, say, target } from './steps.mjs';
import { requireSystem } from './system.mjs';

const began = Date.now();
const times = [];
async function step(name, work) {
  say(name);
  const from = Date.now();
  await work();
  times.push(`${((Date.now() - from) / 1000).toFixed(0).padStart(6)} s  ${name}`);
}

const ui = join(root, 'ui');
// Tests start programs from the folder cargo builds into, whatever it is.
const env = { ...process.env, CARGO_TARGET_DIR: target, ORIEL_BIN_DIR: join(target, 'debug') };
const cargo = (...args) => run('cargo', args, { env });

await step('System packages', () => requireSystem('test'));
await step('Page: install, check, unit tests, build', () => {
  npmInstall(root);
  npmInstall(ui);
  run('npm', ['run', '--silent', 'check'], { cwd: ui });
  run('npm', ['test', '--silent'], { cwd: ui });
  buildPage();
});
await step('Rust: format', () => cargo('fmt', '--all', '--check'));
await step('Rust: build', () => cargo('build', '--workspace', '--locked', '--bins'));
await step('Rust: clippy', () => cargo('clippy', '--workspace', '--all-targets', '--locked', '--', '-D', 'warnings'));
await step('Rust: unit, crate, system and tidy tests', () => cargo('test', '--workspace', '--locked', '--no-fail-fast'));
await step('Page in a browser, on the real recorder', () =>
  run('npx', ['playwright', 'test', '--config', 'tests/e2e/playwright.config.ts'], { env }),
);
await step('The real window', () => {
  cargoTool('tauri-driver', '2.1.0');
  run('node', ['--test', '--test-reporter=spec', 'tests/e2e/desktop/window.test.mjs'], { env });
});

console.log(`\n${times.join('\n')}\n${((Date.now() - began) / 1000).toFixed(0).padStart(6)} s  in all. Everything passed.`);
