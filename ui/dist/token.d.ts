/** Bearer tokens: asked of the page, kept while they hold, and whose they are. */
/** A token, or what gives one; `refresh` is set when the gateway refused the last one. */
export type TokenSource = string | ((request: {
    refresh: boolean;
}) => string | Promise<string>);
/** The token in use. Many who find it refused at once cause one refresh. */
export declare class Tokens {
    #private;
    /** Told when a token of another user takes the place of one. */
    changed: () => void;
    /** `user` says whose they all are, where the claims do not. */
    constructor(source: TokenSource, user?: string);
    /** Whether there is anything to ask for. */
    get known(): boolean;
    /** A token other than `refused`, which is the one that was just not accepted. */
    get(refused?: string): Promise<string>;
    /** Whose token it is, the same for each of that user's; unknown where it is no JWT. */
    owner(token: string): string | undefined;
}
