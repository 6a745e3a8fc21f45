/** Bearer tokens: asked of the page, kept while they hold, and whose inbox they open. */
/** A token, or what gives one; `refresh` is set when the gateway refused the last one. */
export type TokenSource = string | ((request: {
    refresh: boolean;
}) => string | Promise<string>);
/** The token in use. Many who find it refused at once cause one refresh. */
export declare class Tokens {
    #private;
    /** Whose the token is, as the gateway says: tenant and user. */
    owner: string | undefined;
    /** Told when a token of another owner takes the place of one. */
    changed: () => void;
    /** `whose` asks the gateway for a token's owner, and fails with its status. */
    constructor(source: TokenSource, whose: (token: string) => Promise<string>);
    /** Whether there is anything to ask for. */
    get known(): boolean;
    /** A token other than `refused`, which is the one that was just not accepted. */
    get(refused?: string): Promise<string>;
}
