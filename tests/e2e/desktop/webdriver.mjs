// The few WebDriver calls a smoke test needs (W3C WebDriver, sections 8 to 17).

export class Session {
  #base;

  static async open(driver, application, args) {
    const response = await fetch(`${driver}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ capabilities: { alwaysMatch: { browserName: 'wry', 'tauri:options': { application, args } } } }),
      signal: AbortSignal.timeout(90_000),
    });
    const { value } = await response.json();
    if (!value.sessionId) throw new Error(`no session: ${JSON.stringify(value)}`);
    const session = new Session();
    session.#base = `${driver}/session/${value.sessionId}`;
    return session;
  }

  async #ask(method, path, body) {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${value?.error} ${value?.message}`);
    return value;
  }

  /** Runs a function body in the page and gives what it returns. */
  run(script, ...args) {
    return this.#ask('POST', '/execute/sync', { script, args });
  }

  title() {
    return this.#ask('GET', '/title');
  }

  /** A PNG of the window. */
  async screenshot() {
    return Buffer.from(await this.#ask('GET', '/screenshot'), 'base64');
  }

  close() {
    return this.#ask('DELETE', '');
  }
}

/** Asks again until the answer is truthy; fails with `what` when it never is. */
export async function until(what, ask, limit = 90_000) {
  const began = Date.now();
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() - began > limit) throw new Error(`never happened: ${what}${last ? ` (${last})` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
