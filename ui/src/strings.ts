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

export const STRINGS: Strings = {
  heading: 'Notifications',
  bell: (unread) => `Notifications, ${unread} unread`,
  unreadOnly: 'Unread only',
  markAllRead: 'Mark all read',
  markRead: 'Mark as read',
  markUnread: 'Mark as unread',
  delete: 'Delete',
  deleted: (title) => `Deleted: ${title}`,
  undo: 'Undo',
  restored: (title) => `Restored: ${title}`,
  close: 'Close',
  expand: 'Show more',
  collapse: 'Show less',
  more: 'Load more',
  loading: 'Loading…',
  empty: 'You have no notifications.',
  emptyUnread: 'You have read everything.',
  failed: 'Your notifications could not be loaded.',
  retry: 'Try again',
  offline: 'You are offline. What is new appears when you are back.',
  reconnecting: 'The connection is lost. Trying again…',
  denied: 'Your session has ended. Sign in again to see what is new.',
  undone: 'That did not work, so nothing has changed.',
  arrived: (n, title) => n > 1 ? `${n} new notifications` : `New notification: ${title}`,
  unread: 'Unread',
  success: 'Success',
  warning: 'Warning',
  error: 'Error',
  critical: 'Critical',
};
