/** What the bell opens: heading, list, and what there is to say about them. */
import { List } from './list.js';
import type { RowHost } from './row.js';
import type { InboxState } from './client.js';
/** What the panel may ask for. */
export interface PanelHost extends RowHost {
    close(): void;
}
export declare class Panel {
    #private;
    readonly element: HTMLElement;
    readonly list: List;
    constructor(host: PanelHost);
    /** As a dropdown, or in the page's flow. */
    set inline(inline: boolean);
    /** Shows a state; `anew` where words may have changed. */
    show(state: InboxState, anew: boolean): void;
}
