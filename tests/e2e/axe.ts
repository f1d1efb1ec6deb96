// Whether everyone can use what is shown.
import AxeBuilder from '@axe-core/playwright';
import { expect } from './recorder';
import type { Page } from '@playwright/test';

export const THEMES = ['dark', 'light'] as const;
export type Theme = (typeof THEMES)[number];

/** Shows the page in a theme, with nothing half-way to it. */
export async function wear(page: Page, theme: Theme): Promise<void> {
  await page.evaluate((name) => document.documentElement.setAttribute('data-theme', name), theme);
  // Colours that fade from one theme to the other are of neither.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity).map((a) => a.finished.catch(() => undefined))));
}

/** Looks at what is shown, in both themes. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  for (const theme of THEMES) {
    await wear(page, theme);
    const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']).analyze();
    const told = violations.map((v) => ({ rule: v.id, where: v.nodes.map((n) => `${n.target.join(' ')}: ${n.failureSummary ?? ''}`) }));
    expect(told, `${what}, ${theme}`).toEqual([]);
  }
}
