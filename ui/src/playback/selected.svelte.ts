// What is selected of the timeline, and whether the next drag over it selects.

import type { Span } from './day';
import { beginningAt, endingAt } from './selection';

export class Selected {
  range: Span | null = $state.raw(null);
  selecting = $state(false);

  /** By the button: waits for a drag; pressed again, lets go of what is selected. */
  toggle(): void {
    if (this.range !== null) this.range = null;
    else this.selecting = !this.selecting;
  }

  /** Lets go. Answers whether there was anything. */
  clear(): boolean {
    const any = this.range !== null || this.selecting;
    this.range = null;
    this.selecting = false;
    return any;
  }

  begin(at: number | null): void {
    if (at !== null) this.range = beginningAt(this.range, at);
  }

  finish(at: number | null): void {
    if (at !== null) this.range = endingAt(this.range, at);
  }
}
