/** The module: defines `<bellboard-inbox>`, and exports the client for those who draw their own. */
export { Api, ApiError, type ApiOptions, type ListQuery, type StreamOptions } from './api.js';
export { InboxClient, type Action, type ClientEvents, type ClientOptions, type InboxState } from './client.js';
export { BellboardInbox, type InboxEventDetails } from './element.js';
export type { Icons } from './icons.js';
export { isSafeLink } from './link.js';
export type { Connection } from './live.js';
export type { Strings } from './strings.js';
export type { TokenSource } from './token.js';
export type { InboxEvent, Notification, Page, Severity } from './types.js';
