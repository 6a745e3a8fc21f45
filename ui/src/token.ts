/** Bearer tokens: asked of the page, kept while they hold, and whose inbox they open. */

/** A token, or what gives one; `refresh` is set when the gateway refused the last one. */
export type TokenSource = string | ((request: { refresh: boolean }) => string | Promise<string>);

/** The token in use. Many who find it refused at once cause one refresh. */
export class Tokens {
  #source: TokenSource;
  #whose: (token: string) => Promise<string>;
  #token: string | undefined;
  #asked: Promise<string> | undefined;
  /** Whose the token is, as the gateway says: tenant and user. */
  owner: string | undefined;
  /** Told when a token of another owner takes the place of one. */
  changed: () => void = () => {};

  /** `whose` asks the gateway for a token's owner, and fails with its status. */
  constructor(source: TokenSource, whose: (token: string) => Promise<string>) {
    this.#source = source;
    this.#whose = whose;
  }

  /** Whether there is anything to ask for. */
  get known(): boolean {
    return this.#source !== '';
  }

  /** A token other than `refused`, which is the one that was just not accepted. */
  get(refused?: string): Promise<string> {
    if (this.#asked) return this.#asked;
    if (this.#token !== undefined && this.#token !== refused) return Promise.resolve(this.#token);
    const source = this.#source;
    const ask = async (refresh: boolean): Promise<string> => {
      const token = typeof source === 'string' ? source : await source({ refresh });
      const owner = await this.#whose(token).catch((error: { status: number }) => {
        if (refresh || error.status !== 401) throw error;
      });
      if (!owner) return ask(true);
      const last = this.owner;
      this.#token = token;
      this.owner = owner;
      if (last && owner !== last) this.changed();
      return token;
    };
    return this.#asked = ask(refused !== undefined).finally(() => this.#asked = undefined);
  }
}
