// The few things every script does: say, run, stop.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where cargo puts what it builds. */
export const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');

/** The name of a program on this system. */
export const program = (name) => (process.platform === 'win32' ? `${name}.exe` : name);

export function say(text) {
  console.log(`\n==> ${text}`);
}

export function stop(text) {
  console.error(`\n${text}`);
  process.exit(1);
}

/** Runs a program to its end; stops the script when it fails. */
export function run(command, args, options = {}) {
  const shell = process.platform === 'win32' && (command === 'npm' || command === 'npx');
  const done = spawnSync(command, args, { stdio: 'inherit', cwd: root, shell, ...options });
  if (done.error) stop(`${command} could not be started: ${done.error.message}`);
  if (done.status !== 0) stop(`Failed: ${command} ${args.join(' ')}`);
}

/** `npm ci` in a folder, left out when the lock file is the one installed last. */
export function npmInstall(folder) {
  const lock = createHash('sha256').update(readFileSync(join(folder, 'package-lock.json'))).digest('hex');
  const mark = join(folder, 'node_modules', '.oriel-lock');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === lock) return;
  run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
  mkdirSync(dirname(mark), { recursive: true });
  writeFileSync(mark, lock);
}

/** Installs the page's dependencies and builds it. */
export function buildPage() {
  const ui = join(root, 'ui');
  npmInstall(ui);
  run('npm', ['run', '--silent', 'build'], { cwd: ui });
}

/** A program from the Rust registry that tests use, built once into the target folder. */
export function cargoTool(name, version) {
  const tools = join(target, 'tools');
  const mark = join(tools, `${name}-${version}`);
  if (existsSync(mark)) return;
  run('cargo', ['install', name, '--version', version, '--locked', '--root', tools, '--force']);
  writeFileSync(mark, '');
}

/** A program from the Python registry, installed once into a folder of its own. Gives its path. */
export function pythonTool(name, version, command) {
  const folder = join(target, 'tools', `${name}-${version}`);
  const programs = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin');
  const mark = join(folder, 'installed');
  if (!existsSync(mark)) {
    run(process.platform === 'win32' ? 'python' : 'python3', ['-m', 'venv', folder]);
    run(join(programs, program('python')), ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', `${name}==${version}`]);
    writeFileSync(mark, '');
  }
  return join(programs, program(command));
}
