/** One of a user's tabs holds the stream and tells the others: a browser opens six connections to a host, not ten. */

import { sleep } from './backoff.js';
import type { Connection } from './live.js';
import type { InboxEvent } from './types.js';

/** Where the leading tab stands. */
export interface Standing {
  connection: Connection;
  unread: number | undefined;
  /** The last event it told. */
  position: string | undefined;
}

type Message = { event: InboxEvent } | { standing: Standing } | { ask: true };

export interface TabsHost {
  /** This tab leads, until the signal says so. It may give up by itself. */
  lead(signal: AbortSignal): Promise<void>;
  event(event: InboxEvent): void;
  standing(standing: Standing): void;
  /** Another tab asks the leading one where it stands, and that it looks again. */
  asked(): void;
}

/** How long a leading tab may take to answer: the browser may have put it to sleep. */
const ANSWER = 4_000;
/** How long a tab that gave up lets others lead. */
const REST = 30_000;

export class Tabs {
  #host: TabsHost;
  #name: string | undefined;
  #channel: BroadcastChannel | undefined;
  #stop = new AbortController();
  #queued = new AbortController();
  #term: AbortController | undefined;
  #steal = false;
  #unanswered: ReturnType<typeof setTimeout> | undefined;

  /** `name` is shared by all tabs of a user; without one this tab is alone. */
  constructor(name: string | undefined, host: TabsHost) {
    this.#host = host;
    // Both exist in secure contexts; a site without HTTPS goes without.
    this.#name = navigator.locks && name;
  }

  get leading(): boolean {
    return this.#term?.signal.aborted === false;
  }

  start(): void {
    document.addEventListener('visibilitychange', () => this.#look(), { signal: this.#stop.signal });
    if (this.#name === undefined) return this.#alone();
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
    void this.#queue(this.#name);
    this.ask();
  }

  stop(): void {
    clearTimeout(this.#unanswered);
    this.#stop.abort();
    this.#queued.abort();
    this.#term?.abort();
    this.#channel?.close();
    this.#channel = undefined;
  }

  tell(message: { event: InboxEvent } | { standing: Standing }): void {
    this.#channel?.postMessage(message);
  }

  /** Asks the leading tab where it stands. One that does not answer leads no longer. */
  ask(): void {
    if (this.leading) return this.#host.asked();
    this.#channel?.postMessage({ ask: true });
    clearTimeout(this.#unanswered);
    if (!this.#channel || document.hidden) return;
    this.#unanswered = setTimeout(() => {
      this.#steal = true;
      this.#queued.abort();
    }, ANSWER);
  }

  /** Leads as soon as it may, though it gave up a moment ago. */
  hurry(): void {
    if (this.leading) this.#host.asked();
    else if (this.#name === undefined) this.#alone();
    else this.#queued.abort();
  }

  #look(): void {
    if (this.#name === undefined) this.#alone();
    else if (!document.hidden) this.ask();
  }

  #hear(message: Message): void {
    if ('ask' in message) {
      if (this.leading) this.#host.asked();
      return;
    }
    clearTimeout(this.#unanswered);
    if ('event' in message) this.#host.event(message.event);
    else this.#host.standing(message.standing);
  }

  async #queue(name: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#queued = new AbortController();
      const how: LockOptions = this.#steal ? { steal: true } : { signal: this.#queued.signal };
      this.#steal = false;
      let led = false;
      // It fails when another tab steals the lock, or this one no longer waits for it.
      await navigator.locks.request(name, how, () => {
        led = true;
        return this.#lead();
      }).catch(() => {});
      this.#term?.abort();
      // Told to stop, or to ask at once.
      if (!led && this.#queued.signal.aborted) continue;
      this.#queued = new AbortController();
      if (this.#stop.signal.aborted) return;
      await sleep(REST, this.#queued.signal);
    }
  }

  async #lead(): Promise<void> {
    // A lock that was stolen comes though the tab has stopped.
    if (this.#stop.signal.aborted) return;
    clearTimeout(this.#unanswered);
    const term = this.#term = new AbortController();
    await this.#host.lead(term.signal).finally(() => term.abort());
  }

  /** Alone it leads while somebody looks, so that hidden tabs hold no connection. */
  #alone(): void {
    if (document.hidden) this.#term?.abort();
    else if (!this.leading) void this.#lead();
  }
}
