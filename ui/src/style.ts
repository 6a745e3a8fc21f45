/** The component's look. Colours come in pairs, for light and for dark, and a page sets its own by the properties. */

import css from './style.css';

let sheet: CSSStyleSheet | undefined;

/** One sheet for all of a page's inboxes; not an inline style, so that a strict Content-Security-Policy lets it be. */
export function styleSheet(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  return sheet;
}
