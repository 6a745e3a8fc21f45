/** One live stream, kept open: it connects again, later each time it fails, and goes on where it was. */

import { ApiError, type Api } from './api.js';
import { backoff, sleep } from './backoff.js';
import type { InboxEvent } from './types.js';

/** How the stream is. `denied`: the token is not accepted, nor is another. */
export type Connection = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'denied';

/** Whom it tells. */
export interface LiveHost {
  /** The last event that is known. */
  position(): string | undefined;
  event(event: InboxEvent): void;
  connection(connection: Connection): void;
  denied(error: ApiError): void;
}

export class Live {
  #wake = new AbortController();
  #cut = new AbortController();

  constructor(readonly api: Api, readonly host: LiveHost) {}

  /** Ends a wait, as when somebody looks or the network is back; not one that the gateway asked for. */
  wake(): void {
    this.#wake.abort();
  }

  /** Ends the connection, which the network may have lost without a word, and tries another at once. */
  cut(): void {
    this.#cut.abort();
    this.wake();
  }

  /** Until the signal says so, or the gateway will not have it. */
  async run(signal: AbortSignal): Promise<void> {
    const { api, host } = this;
    let retry = 2_000;
    for (let failed = 0; !signal.aborted;) {
      const cut = this.#cut = new AbortController();
      let opened = false;
      const error: unknown = await api.stream({
        lastEventId: host.position(),
        signal: AbortSignal.any([signal, cut.signal]),
        open: (ms) => {
          retry = ms;
          opened = true;
          host.connection('live');
        },
        event: (event) => host.event(event),
      }).catch((fault: unknown) => fault);
      const wake = this.#wake = new AbortController();
      if (signal.aborted) return;
      if (cut.signal.aborted) continue;
      let asked = 0;
      if (error instanceof ApiError) {
        if ([401, 403, 404].includes(error.status)) return host.denied(error);
        asked = error.retryAfter ?? 0;
      }
      // One that was open is opened again without a word; when that fails there is something to say.
      failed = opened ? 0 : failed + 1;
      if (failed) {
        host.connection(navigator.onLine ? 'reconnecting' : 'offline');
        await this.#poll(signal);
      }
      // Nobody hurries what the gateway asked for.
      await sleep(asked, signal);
      await sleep(backoff(failed, retry), signal, wake.signal);
    }
  }

  /** Without a stream the count alone is asked for; where it moved, so did the list. */
  async #poll(signal: AbortSignal): Promise<void> {
    const { unread_count, eventId } = await this.api.count().catch(() => ({ unread_count: 0, eventId: undefined }));
    if (eventId !== undefined && !signal.aborted && eventId !== this.host.position()) {
      this.host.event({ type: 'reset', id: eventId, data: { unread_count } });
    }
  }
}
