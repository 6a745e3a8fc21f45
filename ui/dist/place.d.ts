/** Where the dropdown opens: below the bell, and always inside the window. */
/** Puts a panel of the top layer by its anchor. */
export declare function place(panel: HTMLElement, anchor: Element): void;
