/** A user's inbox, kept up to date: for those who draw their own. */

import { Api, ApiError, type ApiOptions } from './api.js';
import { sleep } from './backoff.js';
import { Live, type Connection } from './live.js';
import { Tabs, type Standing } from './tabs.js';
import { EMPTY, apply, remaining, shown, withFirst, withPage, type Change, type Inbox, type Pending } from './state.js';
import { covers, type InboxEvent, type Notification } from './types.js';

export interface ClientOptions extends ApiOptions {
  /** How many notifications a page of the list has, 20 unless given. */
  pageSize?: number;
}

/** An inbox as it is to be shown. */
export interface InboxState {
  /** Newest first; only unread ones where `unreadOnly` is set. */
  items: readonly Notification[];
  /** Undefined before it is known. */
  unread: number | undefined;
  unreadOnly: boolean;
  /** Of the list: not asked for yet, asked for, here, or not to be had. */
  phase: 'idle' | 'loading' | 'ready' | 'failed';
  /** Whether the list goes on. */
  more: boolean;
  connection: Connection;
  /** The last one deleted, while it can be restored. */
  removed: Notification | undefined;
}

/** What the client tells of, as `CustomEvent`s. */
export interface ClientEvents {
  change: InboxState;
  /** A new notification has arrived. */
  arrival: Notification;
  /** An action failed and was rolled back. */
  failure: { action: Action; error: unknown };
  /** The gateway accepts no token that the page gave. */
  unauthorized: ApiError;
}

export type Action = 'read' | 'unread' | 'read_all' | 'delete' | 'restore';

/** What is offered should still be possible when the request arrives: so many seconds of what the gateway grants. */
const TRAVEL = 2;
/** When more than so many arrive after a page was loaded, the list is loaded anew. */
const MOST = 2_000;
/** How long after the page gave no token, or the gateway did not say whose, it is asked again. */
const REFUSED = 10_000;

interface Loading {
  events: InboxEvent[];
}

export class InboxClient extends EventTarget {
  readonly api: Api;
  #options: ClientOptions;
  #inbox: Inbox = EMPTY;
  #pending: Pending[] = [];
  #keys = 0;
  #removed: Notification[] = [];
  #phase: InboxState['phase'] = 'idle';
  #connection: Connection = 'connecting';
  #state: InboxState | undefined;
  /** The list that is asked for, and what the stream told meanwhile. */
  #loading: Loading | undefined;
  /** Actions go out one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #tabs: Tabs | undefined;
  #live: Live | undefined;
  /** The last event that all tabs were told. */
  #told: string | undefined;
  /** How long the list may become before it is loaded anew: arrivals count, not the pages that the reader asked for. */
  #most = MOST;
  #running = false;
  #stop = new AbortController();
  #joined = new AbortController();

  constructor(options: ClientOptions) {
    super();
    this.#options = options;
    this.api = new Api(options);
    this.api.tokens.changed = () => this.#running && this.#restart();
  }

  get state(): InboxState {
    if (!this.#state) {
      const { items, unread, unreadOnly, cursor } = shown(this.#inbox, this.#pending);
      this.#state = {
        items: unreadOnly ? items.filter((item) => !item.is_read) : items,
        unread,
        unreadOnly,
        phase: this.#phase,
        more: cursor !== undefined,
        connection: this.#connection,
        removed: this.#removed.at(-1),
      };
    }
    return this.#state;
  }

  /** Listens to one kind of event; gives back what ends it. */
  on<K extends keyof ClientEvents>(type: K, listener: (detail: ClientEvents[K]) => void): () => void {
    const call = (event: Event) => listener((event as CustomEvent<ClientEvents[K]>).detail);
    this.addEventListener(type, call);
    return () => this.removeEventListener(type, call);
  }

  /** Begins to keep the count, and the list once it is loaded, up to date. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    const { signal } = this.#stop = new AbortController();
    addEventListener('online', this.#cut, { signal });
    addEventListener('offline', this.#cut, { signal });
    addEventListener('pagehide', this.#leave, { signal });
    // A page comes back out of the browser's memory: it begins again where it was.
    addEventListener('pageshow', (event) => void (event.persisted && this.#join()), { signal });
    void this.#join();
  }

  stop(): void {
    this.#running = false;
    this.#stop.abort();
    this.#leave();
  }

  /** Tries again at once what did not work: the stream, and the list. */
  retry(): void {
    this.#tabs?.hurry();
    if (this.#running && !this.#tabs) void this.#join();
    if (this.#phase === 'failed') void this.load();
  }

  /** Loads the first page, or as much as was loaded before. */
  async load(): Promise<void> {
    const { unreadOnly, items } = this.#inbox;
    const size = this.#options.pageSize ?? 20;
    await this.#load(withFirst, { limit: Math.min(200, Math.max(size, items.length)), unread: unreadOnly });
  }

  /** Loads the next page, if there is one and none is asked for. */
  async loadMore(): Promise<void> {
    const { cursor, unreadOnly } = this.#inbox;
    if (cursor === undefined || this.#loading) return;
    await this.#load(withPage, { limit: this.#options.pageSize ?? 20, unread: unreadOnly, cursor });
  }

  /** Shows only unread ones, or all. */
  async showUnreadOnly(unreadOnly: boolean): Promise<void> {
    // The next page of the other list does not go on with this one.
    this.#inbox = { ...this.#inbox, unreadOnly, cursor: undefined };
    await this.load();
  }

  /** `now`: not after what was asked for before, as when the page is about to be left. */
  markRead(id: number, now = false): Promise<boolean> {
    return this.#act('read', { kind: 'read', id }, () => this.api.markRead(id), now);
  }

  markUnread(id: number): Promise<boolean> {
    return this.#act('unread', { kind: 'unread', id }, () => this.api.markUnread(id));
  }

  /** Marks all that were seen: what arrives meanwhile stays unread. */
  async markAllRead(): Promise<boolean> {
    const id = shown(this.#inbox, this.#pending).items[0]?.notification_id;
    if (id === undefined) return true;
    return this.#act('read_all', { kind: 'read_all', id }, () => this.api.markAllRead(id));
  }

  /** Deletes one, at once; for some seconds `restore` takes it back. */
  async delete(id: number): Promise<boolean> {
    const known = this.state.items.find((item) => item.notification_id === id);
    if (!known) return true;
    // Of each delete its own: the time of the first one does not end what is offered of the next.
    const removed = { ...known };
    let left = 0;
    this.#removed.push(removed);
    const done = await this.#act('delete', { kind: 'deleted', id }, async () => left = await this.api.delete(id));
    setTimeout(() => this.#forget(removed), (left - TRAVEL) * 1000);
    return done;
  }

  /** Takes back the last delete, or that of one. */
  async restore(id = this.#removed.at(-1)?.notification_id): Promise<boolean> {
    const notification = this.#removed.find((one) => one.notification_id === id);
    if (!notification || id === undefined) return false;
    this.#forget(notification);
    return this.#act('restore', { kind: 'notification', id, notification }, () => this.api.restore(id));
  }

  async #act(action: Action, change: Change, call: () => Promise<unknown>, now = false): Promise<boolean> {
    const key = ++this.#keys;
    const mine = (one: Pending) => one.key === key;
    this.#pending = [...this.#pending, { key, change, settled: false }];
    this.#changed();
    const last = this.#last;
    const answer = now ? call() : last.then(call);
    this.#last = answer.catch(() => {}).then(() => last);
    try {
      await answer.catch((error: unknown) => {
        // Gone already: by another tab, or because its time was over.
        if (action === 'restore' || !(error instanceof ApiError && error.status === 404)) throw error;
      });
      this.#pending = this.#pending.map((one) => mine(one) ? { ...one, settled: true } : one);
      this.#changed();
      return true;
    } catch (error) {
      this.#pending = this.#pending.filter((one) => !mine(one));
      this.#changed();
      this.#emit('failure', { action, error });
      this.#refused(error);
      return false;
    }
  }

  #forget(removed: Notification): void {
    this.#removed = this.#removed.filter((one) => one !== removed);
    this.#changed();
  }

  async #load(merge: typeof withFirst, query: Parameters<Api['list']>[0]): Promise<void> {
    const loading: Loading = this.#loading = { events: [] };
    if (this.#phase !== 'ready') this.#phase = 'loading';
    this.#changed();
    try {
      const page = await this.api.list(query);
      if (this.#loading !== loading) return;
      this.#loading = undefined;
      this.#phase = 'ready';
      this.#inbox = merge(this.#inbox, page);
      if (merge === withFirst) this.#pending = this.#pending.filter((one) => !one.settled);
      for (const event of loading.events) {
        if (!covers(page.eventId, event.id)) this.#inbox = apply({ ...this.#inbox, position: undefined }, event);
      }
      this.#most = this.#inbox.items.length + MOST;
      this.#settle();
    } catch (error) {
      if (this.#loading !== loading) return;
      this.#loading = undefined;
      this.#phase = 'failed';
      this.#changed();
      this.#refused(error);
    }
  }

  #event(event: InboxEvent): void {
    this.#told = event.id;
    this.#loading?.events.push(event);
    this.#pending = remaining(this.#pending, event);
    const arrived = event.type === 'notification' && !event.data.restored && !covers(this.#inbox.position, event.id);
    this.#inbox = apply(this.#inbox, event);
    this.#settle();
    if (arrived) this.#emit('arrival', event.data.notification);
  }

  /** What the leading tab says of itself; where it has gone past this one, what was between was missed. */
  #standing({ connection, unread, position }: Standing): void {
    if (position !== undefined && unread !== undefined) {
      if (covers(this.#inbox.position, position)) this.#told = position;
      else this.#event({ type: 'reset', id: position, data: { unread_count: unread } });
    }
    this.#connected(connection);
  }

  /** Where there is a connection again, so may be the list. */
  #connected(connection: Connection): void {
    this.#connection = connection;
    if (connection === 'live' && this.#phase === 'failed') void this.load();
    this.#changed();
  }

  /** Loads again where what is known does not suffice. */
  #settle(): void {
    this.#changed();
    const { stale, items } = this.#inbox;
    const behind = this.#loading ? this.#loading.events.length > MOST : stale || items.length > this.#most;
    if (behind) void this.load();
  }

  /** Once there is a token, until it leaves; who joins anew does not ask beside the one before. */
  async #join(): Promise<void> {
    this.#leave();
    const { signal } = this.#joined = new AbortController();
    const { baseUrl, tokens } = this.api;
    try {
      await tokens.get();
    } catch (error) {
      if (signal.aborted) return;
      // The page gave no token, or none that is accepted; else the gateway could not be asked.
      const fault = error instanceof ApiError ? error : new ApiError(String(error), 401);
      if (fault.status === 401) this.#denied(fault);
      else this.#connected(navigator.onLine ? 'reconnecting' : 'offline');
      await sleep(REFUSED, signal);
      return signal.aborted ? undefined : this.#join();
    }
    if (signal.aborted) return;
    const shared = this.#options.share !== false;
    this.#tabs = new Tabs(shared ? `bellboard ${baseUrl} ${tokens.owner}` : undefined, {
      lead: (term) => this.#lead(term),
      event: (told) => this.#event(told),
      standing: (standing) => this.#standing(standing),
      asked: () => {
        this.#live?.wake();
        this.#stand();
      },
    });
    this.#tabs.start();
  }

  #leave = (): void => {
    this.#joined.abort();
    this.#tabs?.stop();
    this.#tabs = undefined;
  };

  /** The token is another user's: nothing of the last one's may be seen or done. */
  #restart(): void {
    const { unreadOnly } = this.#inbox;
    const wanted = this.#phase !== 'idle';
    this.#inbox = { ...EMPTY, unreadOnly };
    this.#pending = this.#removed = [];
    this.#loading = this.#told = undefined;
    this.#phase = 'idle';
    this.#changed();
    void this.#join();
    if (wanted) void this.load();
  }

  #cut = (): void => {
    if (this.#live) this.#live.cut();
    else if (this.#tabs) this.#tabs.ask();
    else void this.#join();
  };

  async #lead(signal: AbortSignal): Promise<void> {
    this.#told ??= this.#inbox.position;
    const live = this.#live = new Live(this.api, {
      position: () => this.#told,
      event: (event) => {
        this.#tabs?.tell({ event });
        this.#event(event);
      },
      connection: (connection) => {
        this.#connected(connection);
        this.#stand();
      },
      denied: (error) => this.#denied(error),
    });
    try {
      await live.run(signal);
    } finally {
      if (this.#live === live) this.#live = undefined;
    }
  }

  #stand(): void {
    const { unread } = this.#inbox;
    this.#tabs?.tell({ standing: { connection: this.#connection, unread, position: this.#told } });
  }

  #refused(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) this.#denied(error);
  }

  #denied(error: ApiError): void {
    this.#connection = 'denied';
    this.#changed();
    this.#emit('unauthorized', error);
  }

  #changed(): void {
    this.#state = undefined;
    this.#emit('change', this.state);
  }

  #emit<K extends keyof ClientEvents>(type: K, detail: ClientEvents[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
