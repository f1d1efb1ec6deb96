// Which page is shown. Addresses are `/live`, `/playback?channel=…`; in the desktop window they
// stand behind a `#`, because nothing there answers for other paths.

import { isDesktop } from '../shell';
import { parseTarget, sameTarget, targetOf, type Query, type Target } from './route';

class Router {
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
    const href = this.href(path, query);
    if (options.replace === true || sameTarget(this.#target, { path, query })) history.replaceState(null, '', href);
    else history.pushState(null, '', href);
    this.#read();
  }

  /** Follows the address bar. Returns what ends it. */
  start(): () => void {
    const read = () => this.#read();
    const click = (event: MouseEvent) => this.#click(event);
    window.addEventListener('popstate', read);
    document.addEventListener('click', click);
    read();
    return () => {
      window.removeEventListener('popstate', read);
      document.removeEventListener('click', click);
    };
  }

  #read(): void {
    this.#target = parseTarget(this.#hash ? location.hash.slice(1) : location.pathname + location.search);
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
