/** The gateway's reading side over HTTP, a method for each operation. */
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
export declare class ApiError extends Error {
    readonly status: number;
    /** Milliseconds. */
    readonly retryAfter?: number | undefined;
    name: string;
    constructor(message: string, status: number, 
    /** Milliseconds. */
    retryAfter?: number | undefined);
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
export declare class Api {
    #private;
    readonly baseUrl: string;
    readonly tokens: Tokens;
    constructor(options: ApiOptions);
    /** A page of the list, newest first. */
    list(query?: ListQuery): Promise<Page>;
    /** The unread count, and the event that it is right after. */
    count(): Promise<Pick<Page, 'unread_count' | 'eventId'>>;
    markRead(id: number): Promise<void>;
    markUnread(id: number): Promise<void>;
    /** Marks all up to that id; those that came after stay unread. Tells how many there were. */
    markAllRead(upTo: number): Promise<number>;
    /** Tells for how many seconds it can be taken back; 30 where the gateway does not say. */
    delete(id: number): Promise<number>;
    /** Takes a delete back. */
    restore(id: number): Promise<Notification>;
    /** Reads one connection of the stream to its end. The token goes in a header, so `EventSource` will not do. */
    stream(options: StreamOptions): Promise<void>;
}
