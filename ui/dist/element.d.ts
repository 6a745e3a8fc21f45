/** `<bellboard-inbox>`: the bell, its badge, and the list that it opens. */
import { InboxClient, type ClientEvents } from './client.js';
import { type Icons } from './icons.js';
import { type Strings } from './strings.js';
import type { TokenSource } from './token.js';
import type { Notification } from './types.js';
/** The events of the element; all bubble out of shadow trees. */
export interface InboxEventDetails {
    /** The unread count is another one. */
    'bellboard-count': {
        unread: number;
    };
    /** A new notification has arrived. */
    'bellboard-arrival': {
        notification: Notification;
    };
    /** A link is about to be followed: `preventDefault()` leaves it to the page. */
    'bellboard-follow': {
        notification: Notification;
    };
    /** An action failed and was rolled back. */
    'bellboard-failure': ClientEvents['failure'];
    /** No token is accepted any more. */
    'bellboard-unauthorized': Record<string, never>;
    /** The dropdown was opened or closed. */
    'bellboard-toggle': {
        open: boolean;
    };
}
declare const Base: {
    new (): HTMLElement;
    prototype: HTMLElement;
};
export declare class BellboardInbox extends Base {
    #private;
    static readonly observedAttributes: string[];
    constructor();
    /** The bearer token, or a function that gives one; it is asked again when the gateway refuses the last one. */
    get token(): TokenSource | undefined;
    set token(token: TokenSource | undefined);
    /** The client underneath; one that the page made itself may be put here in place of a token. */
    get client(): InboxClient;
    set client(client: InboxClient);
    /** Words in place of the English ones; those that are left out stay. */
    get strings(): Strings;
    set strings(strings: Partial<Strings>);
    /** More icons, by the names that types use: the `d` of a path in a square of 24. */
    get icons(): Icons;
    set icons(icons: Icons);
    /** How many are unread; undefined before it is known. */
    get unread(): number | undefined;
    get isOpen(): boolean;
    open(): void;
    close(): void;
    connectedCallback(): void;
    disconnectedCallback(): void;
    attributeChangedCallback(name: string, before: string | null, after: string | null): void;
}
declare global {
    interface HTMLElementTagNameMap {
        'bellboard-inbox': BellboardInbox;
    }
}
export {};
