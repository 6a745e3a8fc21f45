/** What the gateway's answers and its stream say. */
export type Severity = 'info' | 'success' | 'warning' | 'error' | 'critical';
/** A notification as its reader sees it. */
export interface Notification {
    notification_id: number;
    user_id: number;
    type: string;
    title: string;
    message?: string;
    link?: string;
    metadata?: Record<string, unknown>;
    related_ticket_id?: number;
    related_user_id?: number;
    severity?: Severity;
    icon?: string;
    is_read: boolean;
    read_at?: string | undefined;
    created_at: string;
    expires_at?: string;
}
/** A page of the list, newest first. */
export interface Page {
    notifications: Notification[];
    unread_count: number;
    /** Asks for the next page; absent on the last one. */
    next_cursor?: string;
    /** The event whose state this is. */
    eventId?: string | undefined;
}
/** The unread count right after an event. */
interface Counted {
    unread_count: number;
}
interface About extends Counted {
    notification_id: number;
}
/** An event of the stream. */
export type InboxEvent = {
    id: string;
} & ({
    type: 'ready' | 'reset';
    data: Counted;
} | {
    type: 'notification';
    data: Counted & {
        notification: Notification;
        restored?: boolean;
    };
} | {
    type: 'read';
    data: About & {
        read_at: string;
    };
} | {
    type: 'unread' | 'deleted' | 'expired';
    data: About;
} | {
    type: 'read_all';
    data: Counted & {
        up_to: number;
        read_at: string;
    };
});
/**
 * Whether what stands at event `a` contains event `b` already. Both are `epoch.rev`; of ids that cannot be compared
 * the answer is no, and then what comes twice does no harm.
 */
export declare function covers(a: string | undefined, b: string): boolean;
export {};
