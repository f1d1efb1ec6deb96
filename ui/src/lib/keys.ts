// Every key of the page, as the list of shortcuts shows it. The pages act on them themselves.

import { PAGES, type Page } from './pages';
import { GO_KEYS } from './shortcuts';
import { texts } from './texts';

export interface KeyRow {
  text: string;
  /** Ways to do it; the keys of one way with spaces between. */
  keys: readonly string[];
}

export interface KeyGroup {
  title: string;
  rows: readonly KeyRow[];
  /** Page these keys belong to; undefined when they work everywhere. */
  page?: Page;
}

const t = texts.shortcuts;

export const KEY_GROUPS: readonly KeyGroup[] = [
  {
    title: t.everywhere,
    rows: [
      ...PAGES.map((page, i) => ({ text: t.go(texts.pages[page]), keys: [String(i + 1), `g ${GO_KEYS[page]}`] })),
      { text: t.rail, keys: ['['] },
      { text: t.help, keys: ['?'] },
      { text: t.close, keys: ['Esc'] },
    ],
  },
  {
    title: texts.pages.live,
    page: 'live',
    rows: [
      { text: t.live.layout, keys: ['1', '4', '9'] },
      { text: t.live.sixteen, keys: ['6'] },
      { text: t.live.auto, keys: ['0'] },
      { text: t.live.select, keys: ['← ↑ ↓ →'] },
      { text: t.live.move, keys: ['Alt ← ↑ ↓ →'] },
      { text: t.live.enlarge, keys: ['Enter'] },
      { text: t.live.back, keys: ['Esc'] },
      { text: t.live.full, keys: ['f'] },
      { text: t.live.wallFull, keys: ['Shift F'] },
      { text: t.sound, keys: ['m'] },
      { text: t.live.details, keys: ['i'] },
      { text: t.live.pages, keys: ['PageUp', 'PageDown'] },
      { text: t.live.snapshot, keys: ['s'] },
    ],
  },
  {
    title: texts.pages.playback,
    page: 'playback',
    rows: [
      { text: t.playback.toggle, keys: ['Space', 'k'] },
      { text: t.playback.jump, keys: ['←', '→'] },
      { text: t.playback.longJump, keys: ['Shift ←', 'Shift →'] },
      { text: t.playback.frame, keys: [',', '.'] },
      { text: t.playback.speed, keys: ['<', '>'] },
      { text: t.playback.zoom, keys: ['+', '-'] },
      { text: t.playback.segment, keys: ['PageUp', 'PageDown'] },
      { text: t.playback.newest, keys: ['End'] },
      { text: t.playback.drag, keys: ['Shift Drag'] },
      { text: t.playback.select, keys: ['i', 'o'] },
      { text: t.playback.clip, keys: ['c'] },
      { text: t.playback.clear, keys: ['Esc'] },
      { text: t.playback.mark, keys: ['b'] },
      { text: t.playback.snapshot, keys: ['s'] },
      { text: t.sound, keys: ['m'] },
      { text: t.full, keys: ['f'] },
    ],
  },
  { title: texts.pages.library, page: 'library', rows: [{ text: t.library.picture, keys: ['←', '→'] }] },
  { title: texts.pages.cameras, page: 'cameras', rows: [{ text: t.addCamera, keys: ['n'] }] },
];
