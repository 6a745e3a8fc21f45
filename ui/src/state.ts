/** What an inbox looks like, and what changes it: pure, with no network and no page. */

import { covers, type InboxEvent, type Notification, type Page } from './types.js';

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

export const EMPTY: Inbox = {
  items: [],
  unread: undefined,
  loaded: false,
  cursor: undefined,
  floor: 0,
  position: undefined,
  unreadOnly: false,
  stale: false,
};

/** The inbox after a change, its count by reckoning: right for what is loaded, until an event says it. */
export function perform(inbox: Inbox, change: Change): Inbox {
  const { items } = inbox;
  const known = items.find((item) => item.notification_id === change.id);
  const count = (by: number) => inbox.unread === undefined ? undefined : Math.max(0, inbox.unread + by);
  const replaced = (item: Notification, by: number) =>
    ({ ...inbox, items: items.map((other) => other === known ? item : other), unread: count(by) });
  switch (change.kind) {
    case 'read':
      return known && !known.is_read ? replaced(readAt(known, change.at), -1) : inbox;
    case 'unread':
      if (known) return known.is_read ? replaced({ ...known, is_read: false, read_at: undefined }, 1) : inbox;
      // Among unread ones it belongs, but what it says was never loaded.
      return { ...inbox, stale: inbox.stale || (inbox.loaded && inbox.unreadOnly && change.id > inbox.floor) };
    case 'deleted':
    case 'expired':
      if (!known) return inbox;
      return { ...inbox, items: items.filter((item) => item !== known), unread: count(known.is_read ? 0 : -1) };
    case 'notification': {
      const item = change.notification!;
      if (known) return replaced(item, Number(known.is_read) - Number(item.is_read));
      const unread = count(item.is_read ? 0 : 1);
      if (!inbox.loaded || change.id < inbox.floor) return { ...inbox, unread };
      const newer = items.filter((other) => other.notification_id > change.id);
      return { ...inbox, items: [...newer, item, ...items.slice(newer.length)], unread };
    }
    case 'read_all': {
      if (!inbox.loaded) return inbox;
      const after = (item: Notification) => item.notification_id > change.id;
      const unread = items.filter((item) => !item.is_read && after(item)).length;
      return { ...inbox, items: items.map((item) => after(item) ? item : readAt(item, change.at)), unread };
    }
    default:
      return { ...inbox, stale: inbox.loaded };
  }
}

function readAt(item: Notification, at = new Date().toISOString()): Notification {
  return item.is_read ? item : { ...item, is_read: true, read_at: at };
}

/** The inbox after an event. What it contains already changes nothing. */
export function apply(inbox: Inbox, event: InboxEvent): Inbox {
  if (covers(inbox.position, event.id)) return inbox;
  const { notification, up_to, read_at, unread_count: unread, ...about }: Data = event.data;
  const id = about.notification_id ?? up_to ?? notification?.notification_id ?? 0;
  return { ...perform(inbox, { kind: event.type, id, notification, at: read_at }), unread, position: event.id };
}

/** All that the data of any event may have. */
interface Data {
  unread_count: number;
  notification?: Notification;
  notification_id?: number;
  up_to?: number;
  read_at?: string;
}

/** The inbox as a first page shows it. */
export function withFirst(inbox: Inbox, page: Page): Inbox {
  return {
    ...withPage({ ...inbox, items: [] }, page),
    position: page.eventId ?? inbox.position,
    loaded: true,
    stale: false,
  };
}

/** The inbox with a further page below. Its position stays: the older part of it is still to be told. */
export function withPage(inbox: Inbox, page: Page): Inbox {
  const last = inbox.items.at(-1)?.notification_id ?? Infinity;
  const items = [...inbox.items, ...page.notifications.filter((item) => item.notification_id < last)];
  const cursor = page.next_cursor;
  const floor = cursor === undefined ? 0 : page.notifications.at(-1)?.notification_id ?? inbox.floor;
  return { ...inbox, items, cursor, floor, unread: page.unread_count };
}

/** A change that the reader asked for, shown before the gateway has answered. */
export interface Pending {
  /** Tells it from others. */
  key: number;
  change: Change;
  /** Answered: it stays until the stream tells it too; laid over what has it already it does nothing. */
  settled: boolean;
}

/** What is still to be laid over the inbox after an event: not what was answered and may be told by it. */
export function remaining(pending: readonly Pending[], event: InboxEvent): Pending[] {
  const { notification, notification_id: id = notification?.notification_id }: Data = event.data;
  return pending.filter(({ settled, change }) => !settled || (id && id !== change.id && change.kind !== 'read_all'));
}

/** The inbox as it is shown: what is known, and upon it what was asked for. */
export function shown(inbox: Inbox, pending: readonly Pending[]): Inbox {
  return pending.reduce((so_far, { change }) => perform(so_far, change), inbox);
}
