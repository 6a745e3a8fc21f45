/** How long to wait before trying again. */

const LONGEST = 30_000;

/** A random time up to `base`, doubled with each attempt that failed: a crowd that was cut off comes back spread out. */
export function backoff(attempt: number, base: number, random = Math.random): number {
  return random() * Math.min(LONGEST, base * 2 ** attempt);
}

/** The milliseconds of a `Retry-After`: seconds or a date. */
export function retryAfter(header: string | null, now = Date.now()): number | undefined {
  if (!header) return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Waits, until the time is over or a signal says so, whichever is first. */
export function sleep(ms: number, ...signals: AbortSignal[]): Promise<unknown> {
  const end = AbortSignal.any([AbortSignal.timeout(ms), ...signals]);
  return new Promise((done) => end.aborted ? done(0) : end.addEventListener('abort', done));
}
