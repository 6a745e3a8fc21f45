/** Where a click may lead: the same rule as the gateway's own, so that nothing else is ever an `href`. */
/** Whether a link is a path of the site or an http(s) URL. */
export declare function isSafeLink(link: string): boolean;
