// Whether the side bar is narrow. Kept on this device; narrow by itself in small windows.

const KEY = 'oriel.rail';

class RailWidth {
  #slim = $state(read());

  get slim(): boolean {
    return this.#slim;
  }

  toggle(): void {
    this.#slim = !this.#slim;
    try {
      localStorage.setItem(KEY, this.#slim ? 'slim' : 'wide');
    } catch {
      // Private windows may refuse; the choice then lasts as long as the page.
    }
  }
}

function read(): boolean {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept !== null) return kept === 'slim';
  } catch {
    // As above.
  }
  return typeof window !== 'undefined' && window.innerWidth < 1200;
}

export const rail = new RailWidth();
