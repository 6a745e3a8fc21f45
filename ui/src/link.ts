/** Where a click may lead: the same rule as the gateway's own, so that nothing else is ever an `href`. */

const INVISIBLE = /[\p{Cc}\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/u;

/** Whether a link is a path of the site or an http(s) URL. */
export function isSafeLink(link: string): boolean {
  if (!link || INVISIBLE.test(link) || link.includes('\\') || link.trim() !== link || link.startsWith('//')) {
    return false;
  }
  const head = link.split(/[/?#]/, 1)[0]!;
  if (!head.includes(':')) return true;
  return /^https?:$/i.test(head) && /^\/\/[^/?#\s]+(?:[/?#]|$)/.test(link.slice(head.length));
}
