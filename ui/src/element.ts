/** `<bellboard-inbox>`: the bell, its badge, and the list that it opens. */

import { InboxClient, type ClientEvents } from './client.js';
import { button, h, icon, redraw, say, set } from './dom.js';
import { ICONS, type Icons } from './icons.js';
import { Panel, type PanelHost } from './panel.js';
import { place } from './place.js';
import { STRINGS, type Strings } from './strings.js';
import { styleSheet } from './style.js';
import { localeOf } from './time.js';
import type { TokenSource } from './token.js';
import type { Notification } from './types.js';

/** The events of the element; all bubble out of shadow trees. */
export interface InboxEventDetails {
  /** The unread count is another one. */
  'bellboard-count': { unread: number };
  /** A new notification has arrived. */
  'bellboard-arrival': { notification: Notification };
  /** A link is about to be followed: `preventDefault()` leaves it to the page. */
  'bellboard-follow': { notification: Notification };
  /** An action failed and was rolled back. */
  'bellboard-failure': ClientEvents['failure'];
  /** No token is accepted any more. */
  'bellboard-unauthorized': Record<string, never>;
  /** The dropdown was opened or closed. */
  'bellboard-toggle': { open: boolean };
}

/** The most that the badge says. */
const MOST = 99;
/** How often the times are said anew. */
const TICK = 30_000;
/** How long arrivals are gathered before they are said. */
const GATHER = 1_000;

// On a server there are no elements; the module must load there all the same.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

export class BellboardInbox extends Base {
  static readonly observedAttributes = ['base-url', 'inline', 'lang', 'link-target'];

  #token: TokenSource | undefined;
  #client = new InboxClient({ token: '' });
  #listening: (() => void)[] = [];
  #strings: Strings = STRINGS;
  #icons: Icons = ICONS;
  #locale = 'en';
  #icon = icon(ICONS.bell!);
  #badge!: HTMLElement;
  #bell!: HTMLButtonElement;
  #panel!: Panel;
  /** Speaks to screen readers. */
  #region = h('div', { class: 'sr', role: 'status' });
  #arrived: string[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #counted: number | undefined;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styleSheet()];
    this.#badge = h('span', { class: 'badge', part: 'badge', 'aria-hidden': 'true' });
    const bell = { class: 'bell', 'aria-haspopup': 'dialog', 'aria-expanded': 'false', popovertarget: 'panel' };
    this.#bell = button(bell, () => {}, this.#icon, this.#badge);
    this.#panel = new Panel(this.#host());
    root.append(this.#bell, this.#panel.element, this.#region);
    this.#panel.element.addEventListener('beforetoggle', () => {
      // The focus goes back: browsers do not find a bell that is in a shadow tree.
      if (this.#panel.element.matches(':focus-within')) this.#bell.focus();
    });
    this.#panel.element.addEventListener('toggle', () => this.#toggled());
    this.#panel.element.addEventListener('focusout', (event) => {
      const to = event.relatedTarget as Node | null;
      // What has the focus must not lie under the dropdown.
      if (to && !root.contains(to)) this.close();
    });
  }

  /** The bearer token, or a function that gives one; it is asked again when the gateway refuses the last one. */
  get token(): TokenSource | undefined {
    return this.#token;
  }

  set token(token: TokenSource | undefined) {
    this.#token = token;
    this.#restart();
  }

  /** The client underneath; one that the page made itself may be put here in place of a token. */
  get client(): InboxClient {
    return this.#client;
  }

  set client(client: InboxClient) {
    this.#detach();
    this.#client = client;
    this.#attach();
  }

  /** Words in place of the English ones; those that are left out stay. */
  get strings(): Strings {
    return this.#strings;
  }

  set strings(strings: Partial<Strings>) {
    this.#strings = { ...STRINGS, ...strings };
    this.#render(true);
  }

  /** More icons, by the names that types use: the `d` of a path in a square of 24. */
  get icons(): Icons {
    return this.#icons;
  }

  set icons(icons: Icons) {
    this.#icons = { ...ICONS, ...icons };
    redraw(this.#icon, this.#icons.bell!);
    this.#render(true);
  }

  /** How many are unread; undefined before it is known. */
  get unread(): number | undefined {
    return this.#client.state.unread;
  }

  get isOpen(): boolean {
    return this.#inline || this.#panel.element.matches(':popover-open');
  }

  open(): void {
    if (!this.isOpen) this.#panel.element.showPopover();
  }

  close(): void {
    if (!this.#inline && this.isOpen) this.#panel.element.hidePopover();
  }

  connectedCallback(): void {
    for (const name of ['token', 'client', 'strings', 'icons'] as const) this.#upgrade(name);
    this.#arrange();
    if (this.#client.api.tokens.known) this.#attach();
    else this.#restart();
  }

  disconnectedCallback(): void {
    // The browser has closed the dropdown, without a word.
    this.#toggled();
    this.#detach();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected) return;
    if (name === 'base-url') this.#restart();
    else this.#arrange();
  }

  get #inline(): boolean {
    return this.hasAttribute('inline');
  }

  /** What was set before the element was defined. */
  #upgrade(name: 'token' | 'client' | 'strings' | 'icons'): void {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (this as Partial<this>)[name];
    (this as Record<string, unknown>)[name] = value;
  }

  #arrange(): void {
    this.#bell.hidden = this.#inline;
    this.#panel.inline = this.#inline;
    const page = this.closest('[lang]')?.getAttribute('lang') ?? undefined;
    this.#locale = localeOf(page);
    this.#render(true);
    this.#shown();
  }

  /** Begins anew with a client of its own, which does nothing while there is no token. */
  #restart(): void {
    if (!this.isConnected) return;
    this.client = new InboxClient({ token: this.#token ?? '', baseUrl: this.getAttribute('base-url') ?? undefined });
  }

  #attach(): void {
    const client = this.#client;
    this.#render(true);
    if (!this.isConnected || this.#listening.length || !client.api.tokens.known) return;
    this.#listening = [
      client.on('change', () => this.#render(false)),
      client.on('arrival', (notification) => {
        // What comes close together is said once.
        if (this.#arrived.push(notification.title) === 1) setTimeout(() => this.#sayArrived(), GATHER);
        this.#emit('bellboard-arrival', { notification });
      }),
      client.on('failure', (failure) => {
        this.#say(this.#strings.undone);
        this.#emit('bellboard-failure', failure);
      }),
      client.on('unauthorized', () => this.#emit('bellboard-unauthorized', {})),
    ];
    client.start();
    this.#shown();
  }

  #detach(): void {
    for (const end of this.#listening) end();
    this.#listening = [];
    this.#client.stop();
    clearInterval(this.#timer);
  }

  #toggled(): void {
    const open = this.#panel.element.matches(':popover-open');
    if (this.#bell.ariaExpanded === String(open)) return;
    set(this.#bell, { 'aria-expanded': String(open) });
    const move = open ? addEventListener : removeEventListener;
    move('resize', this.#place);
    move('scroll', this.#place, true);
    this.#shown();
    this.#emit('bellboard-toggle', { open });
  }

  /** The list is loaded when it is first seen, and its times go on while it is. */
  #shown(): void {
    clearInterval(this.#timer);
    if (!this.isOpen || !this.#listening.length) return;
    if (this.#client.state.phase === 'idle') void this.#client.load();
    this.#panel.list.tick();
    this.#timer = setInterval(() => this.#panel.list.tick(), TICK);
    this.#place();
  }

  #place = (): void => {
    if (!this.#inline) place(this.#panel.element, this.#bell);
  };

  #render(anew: boolean): void {
    const { state } = this.#client;
    const n = state.unread ?? 0;
    set(this.#bell, { 'aria-label': this.#strings.bell(n), part: n ? 'bell bell-unread' : 'bell' });
    this.#badge.hidden = n === 0;
    say(this.#badge, Math.min(n, MOST).toLocaleString(this.#locale) + (n > MOST ? '+' : ''));
    this.#panel.show(state, anew);
    if (this.isOpen && this.isConnected) this.#place();
    if (state.unread === undefined || state.unread === this.#counted) return;
    this.#counted = state.unread;
    this.#emit('bellboard-count', { unread: state.unread });
  }

  /** The same words again are said again only when they differ. */
  #say(text: string): void {
    say(this.#region, this.#region.textContent === text ? `${text}\u00a0` : text);
  }

  #sayArrived(): void {
    this.#say(this.#strings.arrived(this.#arrived.length, this.#arrived.at(-1)!));
    this.#arrived = [];
  }

  #emit<K extends keyof InboxEventDetails>(type: K, detail: InboxEventDetails[K]): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  #host(): PanelHost {
    const inbox = this;
    return {
      get client() { return inbox.#client; },
      get strings() { return inbox.#strings; },
      get icons() { return inbox.#icons; },
      get locale() { return inbox.#locale; },
      get linkTarget() { return inbox.getAttribute('link-target'); },
      say: (text) => this.#say(text),
      follow: (notification) => {
        this.close();
        return this.#emit('bellboard-follow', { notification });
      },
      close: () => this.close(),
    };
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'bellboard-inbox': BellboardInbox;
  }
}
