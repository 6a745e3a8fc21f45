/** How long to wait before trying again. */
/** A random time up to `base`, doubled with each attempt that failed: a crowd that was cut off comes back spread out. */
export declare function backoff(attempt: number, base: number, random?: () => number): number;
/** The milliseconds of a `Retry-After`: seconds or a date. */
export declare function retryAfter(header: string | null, now?: number): number | undefined;
/** Waits, until the time is over or a signal says so, whichever is first. */
export declare function sleep(ms: number, ...signals: AbortSignal[]): Promise<unknown>;
