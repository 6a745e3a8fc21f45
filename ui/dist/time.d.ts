/** When something was, as its reader says it. */
/** "5 minutes ago", "yesterday"; after a week the date. A clock that is slow shows nothing from the future. */
export declare function relative(at: Date, now: Date, locale: string): string;
/** The whole of it, in the reader's zone. */
export declare function absolute(at: Date, locale: string): string;
/** The reader's locale: of their own the one that fits the page's language, as words and times stand side by side. */
export declare function localeOf(page: string | undefined, own?: readonly string[]): string;
