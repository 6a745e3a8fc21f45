/** Bearer tokens: asked of the page, kept while they hold, and whose they are. */

/** A token, or what gives one; `refresh` is set when the gateway refused the last one. */
export type TokenSource = string | ((request: { refresh: boolean }) => string | Promise<string>);

/** The token in use. Many who find it refused at once cause one refresh. */
export class Tokens {
  #source: TokenSource;
  #user: string | undefined;
  #token: string | undefined;
  #asked: Promise<string> | undefined;
  /** Told when a token of another user takes the place of one. */
  changed: () => void = () => {};

  /** `user` says whose they all are, where the claims do not. */
  constructor(source: TokenSource, user?: string) {
    this.#source = source;
    this.#user = user;
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
      const last = this.#token;
      this.#token = token;
      if (last !== undefined && this.owner(token) !== this.owner(last)) this.changed();
      return token;
    }).finally(() => this.#asked = undefined);
    return this.#asked;
  }

  /** Whose token it is, the same for each of that user's; unknown where it is no JWT. */
  owner(token: string): string | undefined {
    if (this.#user) return this.#user;
    try {
      // Not as UTF-8: it need not be read, only be the same.
      const claims = atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'));
      const { iss, user_id, sub } = JSON.parse(claims) as Record<string, unknown>;
      const user = user_id ?? sub;
      // One that names nobody is taken for another user's than the last one.
      return user === undefined ? claims : `${iss} ${user}`;
    } catch {
      return undefined;
    }
  }
}
