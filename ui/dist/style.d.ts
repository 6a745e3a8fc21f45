/** The component's look. Colours come in pairs, for light and for dark, and a page sets its own by the properties. */
/** One sheet for all of a page's inboxes; not an inline style, so that a strict Content-Security-Policy lets it be. */
export declare function styleSheet(): CSSStyleSheet;
