/** Where a click may lead: the same rule as the gateway's own, so that nothing else is ever an `href`. */

/** Nothing, white space around it, another host without a scheme, what browsers take for `/`, and what nobody sees. */
const BAD = /^$|^\s|\s$|^\/\/|[\\\p{Cc}\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/u;

/** Whether a link is a path of the site or an http(s) URL. */
export function isSafeLink(link: string): boolean {
  return !BAD.test(link) && /^(https?:\/\/[^/?#\s]+([/?#]|$)|[^/?#:]*([/?#]|$))/i.test(link);
}
