/** One notification in the list. */

import type { InboxClient } from './client.js';
import { button, h, icon, redraw, say, set } from './dom.js';
import { strokes, type Icons } from './icons.js';
import { isSafeLink } from './link.js';
import type { Strings } from './strings.js';
import { absolute, relative } from './time.js';
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

/** A message longer than this, or of more lines, is shown in part first. */
const LONG = 150;

let rows = 0;

export class Row {
  readonly element: HTMLElement;
  #host: RowHost;
  #shown: Notification;
  #icon = icon('');
  #title: HTMLElement;
  #message = h('p', { class: 'message', part: 'message', dir: 'auto', id: `m${++rows}` });
  #expand: HTMLButtonElement;
  #time = h('time', { part: 'time' });
  #read: HTMLButtonElement;
  #delete: HTMLButtonElement;

  constructor(notification: Notification, host: RowHost) {
    this.#host = host;
    this.#shown = notification;
    const { link } = notification;
    const href = link !== undefined && isSafeLink(link) ? link : undefined;
    this.#title = h(href === undefined ? 'span' : 'a', {
      class: 'title',
      part: 'title',
      dir: 'auto',
      href,
      rel: href && 'noopener noreferrer',
    });
    this.#read = button({}, () => this.toggleRead(), icon(''));
    this.#delete = button({}, () => this.delete(), icon(host.icons.delete!));
    this.#expand = button({ class: 'expand' }, () => this.#toggle());
    this.element = h(
      'article',
      { tabindex: -1, 'aria-describedby': this.#message.id },
      h('span', { class: 'icon', part: 'icon' }, this.#icon),
      h('div', { class: 'body' }, this.#title, this.#message, this.#expand, h('div', {}, this.#time)),
      h('div', { class: 'actions' }, this.#read, this.#delete),
    );
    for (const kind of ['click', 'auxclick'] as const) this.element.addEventListener(kind, (event) => this.#click(event));
    this.update(notification, true);
  }

  /** Shows it as it is now; `anew` where words, icons or the locale may have changed too. */
  update(notification: Notification, anew: boolean): void {
    if (notification === this.#shown && !anew) return;
    this.#shown = notification;
    const { strings, icons, linkTarget } = this.#host;
    const { title, message = '', severity, is_read: read } = notification;
    const link = this.#title.localName === 'a';
    const state = `${read ? '' : ' unread'}${link || !read ? ' open' : ''}`;
    set(this.element, {
      class: `${severity ?? 'info'}${state}${this.element.classList.contains('new') ? ' new' : ''}`,
      part: `item${read ? '' : ' item-unread'}`,
    });
    const grave = severity && severity !== 'info' && strings[severity];
    const said = [!read && strings.unread, grave, title].filter(Boolean);
    set(this.element, { 'aria-label': said.join(', ') });
    redraw(this.#icon, strokes(icons, notification.icon, severity));
    say(this.#title, title);
    if (link) set(this.#title, { target: linkTarget });
    say(this.#message, message);
    this.#message.hidden = message === '';
    this.#expand.hidden = message.length <= LONG && message.split('\n').length <= 3;
    this.#label();
    const mark = read ? 'unread' : 'read';
    redraw(this.#read.firstElementChild as SVGSVGElement, icons[mark] ?? '');
    this.#name(this.#read, read ? strings.markUnread : strings.markRead);
    this.#name(this.#delete, strings.delete);
    this.tick();
  }

  /** Says anew how long ago it was. */
  tick(): void {
    const at = new Date(this.#shown.created_at);
    if (Number.isNaN(at.getTime())) return;
    const { locale } = this.#host;
    say(this.#time, relative(at, new Date(), locale));
    set(this.#time, { datetime: this.#shown.created_at, title: absolute(at, locale) });
  }

  /** Whether Tab comes here: it does to one row of the list, and what is in it. */
  reach(reached: boolean): void {
    set(this.element, { tabindex: reached ? 0 : -1 });
    for (const part of [this.#title, this.#expand, this.#read, this.#delete]) {
      if (part.localName !== 'span') set(part, { tabindex: reached ? 0 : -1 });
    }
  }

  /** What Enter does: as a click on the row. */
  activate(): void {
    if (this.#title.localName === 'a') this.#title.click();
    else if (!this.#shown.is_read) this.toggleRead();
  }

  toggleRead(): void {
    const { notification_id: id, is_read: read } = this.#shown;
    void this.#host.client[read ? 'markUnread' : 'markRead'](id);
  }

  delete(): void {
    this.#host.say(this.#host.strings.deleted(this.#shown.title));
    void this.#host.client.delete(this.#shown.notification_id);
  }


  #click(event: MouseEvent): void {
    const at = event.target as Element;
    if (this.#title.localName === 'a' && this.#title.contains(at)) {
      // The right button only opens a menu.
      if (event.button > 1) return;
      if (!this.#shown.is_read) void this.#host.client.markRead(this.#shown.notification_id, true);
      // What opens another tab or window leaves this one as it is.
      if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (!this.#host.follow(this.#shown)) event.preventDefault();
    } else if (event.button === 0 && !at.closest('button') && !getSelection()?.toString()) {
      this.activate();
    }
  }

  #toggle(): void {
    this.#message.classList.toggle('whole');
    this.#label();
  }

  #label(): void {
    const { strings } = this.#host;
    const whole = this.#message.classList.contains('whole');
    const name = whole ? strings.collapse : strings.expand;
    say(this.#expand, name);
    set(this.#expand, { 'aria-expanded': String(whole) });
    this.#name(this.#expand, name);
  }

  /** A button's name says which notification it is about; the tip is short. */
  #name(button: HTMLButtonElement, name: string): void {
    set(button, { 'aria-label': `${name}: ${this.#shown.title}`, title: name });
  }
}
