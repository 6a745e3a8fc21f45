/** Every word of the component; a page puts its own in their place. */
export interface Strings {
    heading: string;
    /** The bell's name. */
    bell: (unread: number) => string;
    unreadOnly: string;
    markAllRead: string;
    markRead: string;
    markUnread: string;
    delete: string;
    deleted: (title: string) => string;
    undo: string;
    restored: (title: string) => string;
    close: string;
    expand: string;
    collapse: string;
    more: string;
    loading: string;
    empty: string;
    emptyUnread: string;
    failed: string;
    retry: string;
    offline: string;
    reconnecting: string;
    denied: string;
    /** An action failed. */
    undone: string;
    /** So many came together; the title is that of the last one. */
    arrived: (n: number, title: string) => string;
    unread: string;
    success: string;
    warning: string;
    error: string;
    critical: string;
}
export declare const STRINGS: Strings;
