/** What the bell opens: heading, list, and what there is to say about them. */

import { button, h, icon, say, set } from './dom.js';
import { List } from './list.js';
import type { RowHost } from './row.js';
import type { InboxState } from './client.js';

/** What the panel may ask for. */
export interface PanelHost extends RowHost {
  close(): void;
}

export class Panel {
  readonly element: HTMLElement;
  readonly list: List;
  #host: PanelHost;
  #state: InboxState | undefined;
  #heading = h('h2', { id: 'heading', part: 'heading' });
  #filter: HTMLButtonElement;
  #all: HTMLButtonElement;
  #close: HTMLButtonElement;
  #notice = h('div', { class: 'notice', part: 'notice' });
  #noticed = h('span', { role: 'status' });
  #retry: HTMLButtonElement;
  #empty = h('p', { class: 'empty', part: 'empty' });
  #more: HTMLButtonElement;
  #end: HTMLElement;
  #seen: IntersectionObserver;
  #undo = h('div', { class: 'undo', part: 'undo' });
  #deleted = h('span');
  #restore: HTMLButtonElement;

  constructor(host: PanelHost) {
    this.#host = host;
    this.list = new List(host);
    this.#filter = button({}, () => void host.client.showUnreadOnly(!this.#state?.unreadOnly));
    this.#all = button({}, () => void host.client.markAllRead());
    this.#close = button({ class: 'close' }, () => host.close(), icon(host.icons.close ?? ''));
    this.#retry = button({}, () => host.client.retry());
    this.#more = button({ class: 'more' }, () => void host.client.loadMore());
    this.#restore = button({}, () => void this.#undone());
    this.#notice.append(this.#noticed, this.#retry);
    this.#undo.append(this.#deleted, this.#restore);
    this.#end = h('div', {}, this.#more);
    this.element = h(
      'div',
      { class: 'panel', part: 'panel', id: 'panel', tabindex: -1, 'aria-labelledby': 'heading' },
      h('header', { part: 'header' }, this.#heading, this.#filter, this.#all, this.#close),
      this.#notice,
      h('div', { class: 'list', part: 'list' }, this.list.element, this.#empty, this.#end),
      this.#undo,
    );
    this.#seen = new IntersectionObserver((seen) => {
      if (seen.some((one) => one.isIntersecting) && this.#state?.phase === 'ready') void host.client.loadMore();
    }, { rootMargin: '200px' });
    this.element.addEventListener('keydown', (event) => this.#key(event));
  }

  /** As a dropdown, or in the page's flow. */
  set inline(inline: boolean) {
    // The dropdown has the focus as soon as it is open.
    set(this.element, { popover: inline ? null : 'auto', autofocus: !inline, role: inline ? 'region' : 'dialog' });
    this.#close.hidden = inline;
  }

  /** Shows a state; `anew` where words may have changed. */
  show(state: InboxState, anew: boolean): void {
    this.#state = state;
    const { strings } = this.#host;
    const { items, phase, connection, removed, more, unreadOnly } = state;
    say(this.#heading, strings.heading);
    say(this.#filter, strings.unreadOnly);
    set(this.#filter, { 'aria-pressed': String(unreadOnly) });
    say(this.#all, strings.markAllRead);
    set(this.#all, { 'aria-disabled': String(!state.unread) });
    set(this.#close, { 'aria-label': strings.close });
    say(this.#retry, strings.retry);

    const notice = connection === 'denied' ? strings.denied
      : connection === 'offline' ? strings.offline
      : phase === 'failed' ? strings.failed
      : connection === 'reconnecting' ? strings.reconnecting
      : '';
    say(this.#noticed, notice);
    this.#notice.hidden = notice === '';
    this.#retry.hidden = connection === 'offline';

    const loading = phase === 'loading' || phase === 'idle';
    const lost = this.list.show(items, anew);
    set(this.list.element, { 'aria-busy': String(loading), 'aria-labelledby': 'heading', role: items.length ? 'feed' : null });
    const none = unreadOnly ? strings.emptyUnread : strings.empty;
    say(this.#empty, loading ? strings.loading : none);
    this.#empty.hidden = items.length > 0 || phase === 'failed' || (more && !loading);
    say(this.#more, strings.more);
    this.#more.hidden = !more;
    // It tells anew whether the end is in sight, also where it was before.
    this.#seen.disconnect();
    this.#seen.observe(this.#end);

    const hadUndo = this.#restore.matches(':focus');
    say(this.#deleted, removed ? strings.deleted(removed.title) : '');
    say(this.#restore, strings.undo);
    this.#undo.hidden = !removed;
    if (lost || (hadUndo && !removed)) this.element.focus();
  }

  async #undone(): Promise<void> {
    const { client, say: aloud, strings } = this.#host;
    const title = client.state.removed?.title ?? '';
    if (await client.restore()) aloud(strings.restored(title));
  }

  #key(event: KeyboardEvent): void {
    if (event.target !== this.element) return;
    if (event.key === 'ArrowDown' || event.key === 'Home') this.list.enter();
    else return;
    event.preventDefault();
  }
}
