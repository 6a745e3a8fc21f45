/** What an inbox looks like, and what changes it: pure, with no network and no page. */
import { type InboxEvent, type Notification, type Page } from './types.js';
/** One inbox as far as it is loaded. */
export interface Inbox {
    /** Newest first; all there are above `floor`. */
    items: readonly Notification[];
    /** Not known before the first answer. */
    unread: number | undefined;
    /** Whether a first page was loaded; until then only the count is kept. */
    loaded: boolean;
    /** Asks for the next page. */
    cursor: string | undefined;
    /** The last id that was loaded, 0 at the list's end: what is older than it is not known here. */
    floor: number;
    /** The event whose state this is. */
    position: string | undefined;
    /** Whether only unread ones were asked for. */
    unreadOnly: boolean;
    /** What cannot be known without loading again. */
    stale: boolean;
}
/** What a reader does, or an event tells; named as events are. */
export interface Change {
    kind: InboxEvent['type'];
    /** Of `read_all`: the newest that is read. */
    id: number;
    notification?: Notification | undefined;
    at?: string | undefined;
}
export declare const EMPTY: Inbox;
/** The inbox after a change, its count by reckoning: right for what is loaded, until an event says it. */
export declare function perform(inbox: Inbox, change: Change): Inbox;
/** The inbox after an event. What it contains already changes nothing. */
export declare function apply(inbox: Inbox, event: InboxEvent): Inbox;
/** The inbox as a first page shows it. */
export declare function withFirst(inbox: Inbox, page: Page): Inbox;
/** The inbox with a further page below. Its position stays: the older part of it is still to be told. */
export declare function withPage(inbox: Inbox, page: Page): Inbox;
/** A change that the reader asked for, shown before the gateway has answered. */
export interface Pending {
    /** Tells it from others. */
    key: number;
    change: Change;
    /** Answered: it stays until the stream tells it too; laid over what has it already it does nothing. */
    settled: boolean;
}
/** What is still to be laid over the inbox after an event: not what was answered and may be told by it. */
export declare function remaining(pending: readonly Pending[], event: InboxEvent): Pending[];
/** The inbox as it is shown: what is known, and upon it what was asked for. */
export declare function shown(inbox: Inbox, pending: readonly Pending[]): Inbox;
