// Finds what the system lacks and installs it, asking first when that needs sudo.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { debian, homebrew, windows } from './packages.mjs';
import { run, say, stop } from './steps.mjs';

const RUST = [1, 95];

function output(command, args) {
  const done = spawnSync(command, args, { encoding: 'utf8' });
  return done.status === 0 ? done.stdout.trim() : undefined;
}

function requireRust() {
  const version = output('cargo', ['--version'])?.match(/(\d+)\.(\d+)/);
  if (!version) stop('Rust is missing. Install it from https://rustup.rs and run this again.');
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < RUST[0] || (major === RUST[0] && minor < RUST[1])) {
    stop(`Rust ${RUST.join('.')} or newer is needed, this is ${version[0]}. Run: rustup update stable`);
  }
}

function isDebian() {
  return existsSync('/etc/debian_version') && output('dpkg-query', ['--version']) !== undefined;
}

function missingDebian(names) {
  // One query: dpkg-query exits non-zero when a name is unknown to it, but prints the rest.
  const done = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], { encoding: 'utf8' });
  const installed = new Set(done.stdout.split('\n').filter((l) => l.endsWith(' installed')).map((l) => l.split(' ')[0].split(':')[0]));
  return names.filter((n) => !installed.has(n));
}

async function agree(question) {
  if (process.env.ORIEL_YES === '1') return true;
  if (!process.stdin.isTTY) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await prompt.question(`${question} [y/N] `);
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
}

async function installDebian(purpose) {
  const missing = missingDebian(debian[purpose]);
  if (missing.length === 0) return;
  const root = process.getuid?.() === 0;
  const command = `${root ? '' : 'sudo '}apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  say(`These system packages are missing:\n  ${missing.join(' ')}`);
  if (!root && !(await agree(`Install them with sudo?\n  ${command}\n`))) {
    stop(`Install them and run this again:\n  ${command}\n(ORIEL_YES=1 agrees without asking.)`);
  }
  const apt = (args) => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    return root
      ? run('apt-get', args, { env })
      : run('sudo', ['DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args], { env });
  };
  apt(['update', '-q']);
  apt(['install', '-y', '-q', '--no-install-recommends', ...missing]);
}

async function installHomebrew(purpose) {
  if (output('brew', ['--version']) === undefined) stop('Homebrew is missing: see https://brew.sh, then run this again.');
  const have = new Set((output('brew', ['list', '--formula', '-1']) ?? '').split('\n'));
  const missing = homebrew[purpose].filter((n) => !have.has(n));
  if (missing.length === 0) return;
  const command = `brew install ${missing.join(' ')}`;
  if (!(await agree(`${missing.join(' ')} missing. Run "${command}"?`))) stop(`Run this, then try again:\n  ${command}`);
  run('brew', ['install', ...missing]);
}

function checkWindows() {
  const root = process.env.GSTREAMER_1_0_ROOT_MSVC_X86_64;
  if (root && output('pkg-config', ['--version']) !== undefined) return;
  stop(`GStreamer or the build tools are missing. In a terminal run:\n  ${windows.join('\n  ')}\nthen open a new terminal and run this again.`);
}

/** Makes sure Rust and the system packages for a purpose are there, or stops and says how. */
export async function requireSystem(purpose) {
  requireRust();
  if (process.platform === 'darwin') return installHomebrew(purpose);
  if (process.platform === 'win32') return checkWindows();
  if (isDebian()) return installDebian(purpose);
  if (output('pkg-config', ['--exists', 'webkit2gtk-4.1', 'gstreamer-rtsp-server-1.0']) !== undefined) return;
  const name = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8').match(/PRETTY_NAME="?([^"\n]+)/)?.[1] : 'this system';
  stop(`On ${name} install the equivalents of these Debian packages and run this again:\n  ${debian[purpose].join(' ')}`);
}
