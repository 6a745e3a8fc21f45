/** The gateway's reading side over HTTP, a method for each operation. */

import { retryAfter, sleep } from './backoff.js';
import { parser } from './sse.js';
import { Tokens, type TokenSource } from './token.js';
import type { InboxEvent, Notification, Page } from './types.js';

/** Where the gateway is, and with whose token to ask it. */
export interface ApiOptions {
  /** The public prefix, `/crm/notification` of this origin unless given. */
  baseUrl?: string | undefined;
  token: TokenSource;
  /** `false` gives each tab a stream of its own. Whose a token is, the gateway says: a name here is ignored. */
  share?: string | false | undefined;
}

/** An answer that is no success; with status 0 there was none. */
export class ApiError extends Error {
  override name = 'ApiError';
  constructor(
    message: string,
    readonly status: number,
    /** Milliseconds. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** Which part of the list to read. */
export interface ListQuery {
  limit?: number;
  cursor?: string | undefined;
  unread?: boolean;
  type?: string;
}

/** What a stream is opened with. */
export interface StreamOptions {
  lastEventId: string | undefined;
  signal: AbortSignal;
  event(event: InboxEvent): void;
  /** It is open, and what comes now is live; in milliseconds how long to wait before the next connection. */
  open(retry: number): void;
}

interface Asked {
  body?: string;
  headers?: Record<string, string>;
  /** Ends the request, and what comes of it. */
  signal?: AbortSignal;
  /** How often it is asked again when the gateway is busy for a moment. */
  tries?: number;
}

/** How long an answer may take. */
const PATIENCE = 20_000;
/** How long a stream may be silent: several of the gateway's heartbeats. */
const SILENCE = 150_000;
/** The longest `Retry-After` that somebody who waits for an answer is kept waiting. */
const BUSY = 5_000;

async function failure(answer: Response): Promise<ApiError> {
  const { reason, message } = await answer.json().catch(() => ({})) as { reason?: string; message?: string };
  return new ApiError(
    reason ?? message ?? answer.statusText,
    answer.status,
    retryAfter(answer.headers.get('retry-after')),
  );
}

export class Api {
  readonly baseUrl: string;
  readonly tokens: Tokens;

  constructor(options: ApiOptions) {
    this.baseUrl = (options.baseUrl ?? '/crm/notification').replace(/\/+$/, '');
    this.tokens = new Tokens(options.token, async (token) => {
      const answer = await this.#fetch(token, 'GET', '/unread-count');
      // A gateway that does not say it, or knows no such user: every token is somebody else's.
      if (answer.ok || answer.status === 404) return answer.headers.get('x-inbox') ?? token;
      throw await failure(answer);
    });
  }

  /** A page of the list, newest first. */
  async list(query: ListQuery = {}): Promise<Page> {
    const asked = Object.entries(query).filter(([, value]) => value !== undefined);
    return this.#read<Page>(`/?${new URLSearchParams(asked as string[][])}`);
  }

  /** The unread count, and the event that it is right after. */
  async count(): Promise<Pick<Page, 'unread_count' | 'eventId'>> {
    return this.#read<Page>('/unread-count');
  }

  async markRead(id: number): Promise<void> {
    await this.#ask('POST', `/${id}/mark-read`);
  }

  async markUnread(id: number): Promise<void> {
    await this.#ask('POST', `/${id}/mark-unread`);
  }

  /** Marks all up to that id; those that came after stay unread. Tells how many there were. */
  async markAllRead(upTo: number): Promise<number> {
    const answer = await this.#ask('POST', '/mark-all-read', { body: JSON.stringify({ up_to: upTo }) });
    return (await answer.json() as { updated: number }).updated;
  }

  /** Tells for how many seconds it can be taken back; 30 where the gateway does not say. */
  async delete(id: number): Promise<number> {
    const answer = await this.#ask('DELETE', `/${id}`);
    return Number(answer.headers.get('x-restorable-for') ?? 30);
  }

  /** Takes a delete back. */
  async restore(id: number): Promise<Notification> {
    const answer = await this.#ask('POST', `/${id}/restore`);
    return (await answer.json() as { notification: Notification }).notification;
  }

  /** Reads one connection of the stream to its end. The token goes in a header, so `EventSource` will not do. */
  async stream(options: StreamOptions): Promise<void> {
    const { signal, lastEventId } = options;
    const silent = new AbortController();
    const either = AbortSignal.any([signal, silent.signal]);
    const hush = () => silent.abort(new ApiError('the stream is silent', 0));
    let timer = setTimeout(hush, PATIENCE);
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
      const answer = await this.#ask('GET', '/stream', { headers, signal: either, tries: 1 });
      const body = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      const parse = parser({
        // An answer that has begun may still be held back on its way; the gateway says this at once.
        retry: options.open,
        frame: ({ event, data, id }) => {
          if (id === undefined) return;
          options.event({ type: event, id, data: JSON.parse(data) } as InboxEvent);
        },
      });
      for (;;) {
        const { value, done } = await body.read();
        if (done || signal.aborted) return;
        clearTimeout(timer);
        timer = setTimeout(hush, SILENCE);
        parse(value);
      }
    } finally {
      clearTimeout(timer);
      silent.abort();
    }
  }

  async #read<T>(path: string): Promise<T> {
    const answer = await this.#ask('GET', path);
    const eventId = answer.headers.get('x-event-id') ?? undefined;
    return { ...await answer.json() as T, eventId };
  }

  /** Asks with the token, once more with a new one where it is refused, and again where the gateway is busy. */
  async #ask(method: string, path: string, asked: Asked = {}): Promise<Response> {
    const { tries = 3 } = asked;
    const { tokens } = this;
    let refused: string | undefined;
    let owner: string | undefined;
    for (let tried = 1; ;) {
      const token = await tokens.get(refused);
      // What one user asked for is never done for another.
      if (tokens.owner !== (owner ??= tokens.owner)) throw new ApiError('another user', 401);
      const answer = await this.#fetch(token, method, path, asked);
      if (answer.ok) return answer;
      if (answer.status === 401 && refused === undefined) {
        refused = token;
        continue;
      }
      const error = await failure(answer);
      if (tried++ >= tries || !(error.retryAfter! <= BUSY)) throw error;
      await sleep(error.retryAfter!);
    }
  }

  #fetch(token: string, method: string, path: string, { body, headers, signal }: Asked = {}): Promise<Response> {
    return fetch(this.baseUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body ?? null,
      cache: 'no-store',
      // A click that leads away must not take its mark with it.
      keepalive: method !== 'GET',
      signal: signal ?? AbortSignal.timeout(PATIENCE),
    }).catch((cause: unknown) => {
      throw new ApiError(String(cause), 0);
    });
  }
}
