/** The list as a feed: rows by id, one of which Tab reaches, and keys that go from row to row. */
import { type RowHost } from './row.js';
import type { Notification } from './types.js';
export declare class List {
    #private;
    readonly element: HTMLDivElement;
    constructor(host: RowHost);
    /** Shows these. Rows that stay keep their elements, and with them the focus; tells whether the focused one is gone. */
    show(items: readonly Notification[], anew: boolean): boolean;
    tick(): void;
    /** Focuses the first row. */
    enter(): void;
}
