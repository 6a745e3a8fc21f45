/** One notification in the list. */
import type { InboxClient } from './client.js';
import { type Icons } from './icons.js';
import type { Strings } from './strings.js';
import type { Notification } from './types.js';
/** What a row may ask for. */
export interface RowHost {
    readonly strings: Strings;
    readonly icons: Icons;
    readonly locale: string;
    /** Where links open, as of `target`. */
    readonly linkTarget: string | null;
    readonly client: InboxClient;
    /** Says it to screen readers. */
    say(text: string): void;
    /** Closes, and asks the page whether the component may follow the link itself. */
    follow(notification: Notification): boolean;
}
export declare class Row {
    #private;
    readonly element: HTMLElement;
    constructor(notification: Notification, host: RowHost);
    /** Shows it as it is now; `anew` where words, icons or the locale may have changed too. */
    update(notification: Notification, anew: boolean): void;
    /** Says anew how long ago it was. */
    tick(): void;
    /** Whether Tab comes here: it does to one row of the list, and what is in it. */
    reach(reached: boolean): void;
    /** What Enter does: as a click on the row. */
    activate(): void;
    toggleRead(): void;
    delete(): void;
}
