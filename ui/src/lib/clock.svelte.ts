// The time of day as a value that moves, for ages and countdowns. One timer for the whole page.

class Clock {
  /** Milliseconds since 1970, once a second. */
  now = $state(Date.now());

  constructor() {
    if (typeof window !== 'undefined') setInterval(() => (this.now = Date.now()), 1000);
  }
}

export const clock = new Clock();
