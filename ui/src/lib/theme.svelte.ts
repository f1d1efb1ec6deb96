// Dark, light, or as the system says. Kept on this device.

export type Theme = 'dark' | 'light' | 'system';

const KEY = 'oriel.theme';

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'system' ? value : 'dark';
  } catch {
    return 'dark';
  }
}

class ThemeChoice {
  #choice: Theme = $state('dark');
  #systemDark = $state(true);

  get choice(): Theme {
    return this.#choice;
  }

  set choice(theme: Theme) {
    this.#choice = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Private windows may refuse; the choice then lasts as long as the page.
    }
    this.#show();
  }

  /** What is shown. */
  get shown(): 'dark' | 'light' {
    if (this.#choice === 'system') return this.#systemDark ? 'dark' : 'light';
    return this.#choice;
  }

  start(): void {
    const system = window.matchMedia('(prefers-color-scheme: dark)');
    this.#choice = stored();
    this.#systemDark = system.matches;
    system.addEventListener('change', () => {
      this.#systemDark = system.matches;
      this.#show();
    });
    this.#show();
  }

  #show(): void {
    document.documentElement.dataset['theme'] = this.shown;
    const colour = getComputedStyle(document.documentElement).getPropertyValue('--bg').trim();
    document.querySelector('meta[name="theme-color"]')?.setAttribute('content', colour);
  }
}

export const theme = new ThemeChoice();
