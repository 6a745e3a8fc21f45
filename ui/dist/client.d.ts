/** A user's inbox, kept up to date: for those who draw their own. */
import { Api, ApiError, type ApiOptions } from './api.js';
import { type Connection } from './live.js';
import { type Notification } from './types.js';
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
    failure: {
        action: Action;
        error: unknown;
    };
    /** The gateway accepts no token that the page gave. */
    unauthorized: ApiError;
}
export type Action = 'read' | 'unread' | 'read_all' | 'delete' | 'restore';
export declare class InboxClient extends EventTarget {
    #private;
    readonly api: Api;
    constructor(options: ClientOptions);
    get state(): InboxState;
    /** Listens to one kind of event; gives back what ends it. */
    on<K extends keyof ClientEvents>(type: K, listener: (detail: ClientEvents[K]) => void): () => void;
    /** Begins to keep the count, and the list once it is loaded, up to date. */
    start(): void;
    stop(): void;
    /** Tries again at once what did not work: the stream, and the list. */
    retry(): void;
    /** Loads the first page, or as much as was loaded before. */
    load(): Promise<void>;
    /** Loads the next page, if there is one and none is asked for. */
    loadMore(): Promise<void>;
    /** Shows only unread ones, or all. */
    showUnreadOnly(unreadOnly: boolean): Promise<void>;
    /** `now`: not after what was asked for before, as when the page is about to be left. */
    markRead(id: number, now?: boolean): Promise<boolean>;
    markUnread(id: number): Promise<boolean>;
    /** Marks all that were seen: what arrives meanwhile stays unread. */
    markAllRead(): Promise<boolean>;
    /** Deletes one, at once; for some seconds `restore` takes it back. */
    delete(id: number): Promise<boolean>;
    /** Takes back the last delete, or that of one. */
    restore(id?: number | undefined): Promise<boolean>;
}
