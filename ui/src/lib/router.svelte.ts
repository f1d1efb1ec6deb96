// Which page is shown. Addresses are `/live`, `/playback?channel=…`; in the desktop window they
// stand behind a `#`, because nothing there answers for other paths.

import { isDesktop } from '../shell';
import { parseTarget, sameTarget, targetOf, type Query, type Target } from './route';

/** Asks whether the page may be left; `leave` leaves it. */
export type Guard = (leave: () => void) => void;

class Router {
  #guard: Guard | undefined;
  #hash = isDesktop();
  #target: Target = $state.raw({ path: '/', query: {} });

  /** Path without a slash at the end, such as `/cameras`. */
  get path(): string {
    return this.#target.path;
  }

  /** Fields of the query. */
  get query(): Query {
    return this.#target.query;
  }

  /** An address for `<a href>`. */
  href(path: string, query: Query = {}): string {
    return (this.#hash ? '#' : '') + targetOf(path, query);
  }

  /** Goes to a page. `replace` leaves no step in the history. */
  go(path: string, query: Query = {}, options: { replace?: boolean } = {}): void {
    if (path !== this.#target.path && this.#asks(() => this.go(path, query, options))) return;
    const href = this.href(path, query);
    if (options.replace === true || sameTarget(this.#target, { path, query })) history.replaceState(null, '', href);
    else history.pushState(null, '', href);
    this.#read();
  }

  /** Has somebody asked before this page is left for another. Returns what ends it. */
  guard(guard: Guard): () => void {
    this.#guard = guard;
    return () => {
      if (this.#guard === guard) this.#guard = undefined;
    };
  }

  /** Follows the address bar. Returns what ends it. */
  start(): () => void {
    const read = () => {
      const { path, query } = this.#shown();
      if (path !== this.#target.path && this.#guard !== undefined) {
        // The browser is there already: back to where somebody still is, until it is decided.
        history.pushState(null, '', this.href(this.#target.path, this.#target.query));
        this.go(path, query);
      } else this.#read();
    };
    const click = (event: MouseEvent) => this.#click(event);
    window.addEventListener('popstate', read);
    document.addEventListener('click', click);
    this.#read();
    return () => {
      window.removeEventListener('popstate', read);
      document.removeEventListener('click', click);
    };
  }

  /** Whether a guard was asked instead. */
  #asks(leave: () => void): boolean {
    const guard = this.#guard;
    if (guard === undefined) return false;
    guard(() => {
      this.#guard = undefined;
      leave();
    });
    return true;
  }

  #shown(): Target {
    return parseTarget(this.#hash ? location.hash.slice(1) : location.pathname + location.search);
  }

  #read(): void {
    this.#target = this.#shown();
  }

  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = event.target instanceof Element ? event.target.closest('a') : null;
    if (anchor === null || anchor.target !== '' || anchor.hasAttribute('download') || anchor.origin !== location.origin) return;
    if (anchor.pathname.startsWith('/api/')) return;
    event.preventDefault();
    const target = parseTarget(this.#hash ? anchor.hash.slice(1) : anchor.pathname + anchor.search);
    this.go(target.path, target.query);
  }
}

/** The one router. */
export const router = new Router();
