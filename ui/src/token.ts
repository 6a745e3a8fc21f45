/** Bearer tokens: asked of the page, kept while they hold, and whose they are. */

/** A token, or what gives one; `refresh` is set when the gateway refused the last one. */
export type TokenSource = string | ((request: { refresh: boolean }) => string | Promise<string>);

/** What changes from one token of a user to the next. */
const PASSING = ['exp', 'iat', 'nbf', 'jti', 'auth_time', 'nonce', 'at_hash', 'sid'];

/** The token in use. Many who find it refused at once cause one refresh. */
export class Tokens {
  #source: TokenSource;
  #token: string | undefined;
  #asked: Promise<string> | undefined;
  /** Told of each token that takes the place of another. */
  changed: (token: string) => void = () => {};

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** Whether there is anything to ask for. */
  get known(): boolean {
    return this.#source !== '';
  }

  /** A token other than `refused`, which is the one that was just not accepted. */
  get(refused?: string): Promise<string> {
    if (this.#asked) return this.#asked;
    if (this.#token !== undefined && this.#token !== refused) return Promise.resolve(this.#token);
    const refresh = refused !== undefined;
    const source = this.#source;
    const asked = (async () => typeof source === 'string' ? source : source({ refresh }))();
    this.#asked = asked.then((token) => {
      const other = this.#token !== undefined && this.#token !== token;
      this.#token = token;
      if (other) this.changed(token);
      return token;
    }).finally(() => this.#asked = undefined);
    return this.#asked;
  }
}

/** Whose token it is, the same for each of that user's; unknown where it is no JWT. */
export function owner(token: string): string | undefined {
  try {
    // Not as UTF-8: it need not be read, only be the same.
    const text = atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'));
    const claims = Object.entries(JSON.parse(text) as object).filter(([name]) => !PASSING.includes(name));
    return JSON.stringify(claims.sort());
  } catch {
    return undefined;
  }
}
