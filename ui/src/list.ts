/** The list as a feed: rows by id, one of which Tab reaches, and keys that go from row to row. */

import { h, set } from './dom.js';
import { Row, type RowHost } from './row.js';
import type { Notification } from './types.js';

export class List {
  readonly element = h('div');
  #host: RowHost;
  #rows = new Map<number, Row>();
  #order: Row[] = [];
  #reached: Row | undefined;

  constructor(host: RowHost) {
    this.#host = host;
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.element.addEventListener('focusin', (event) => {
      const row = this.#order.find((one) => one.element.contains(event.target as Node));
      if (row) this.#reach(row);
    });
  }

  /** Shows these. Rows that stay keep their elements, and with them the focus; tells whether the focused one is gone. */
  show(items: readonly Notification[], anew: boolean): boolean {
    const before = this.#order;
    const focused = before.findIndex((row) => row.element.matches(':focus-within'));
    const rows = new Map<number, Row>();
    const fresh = this.#rows.size > 0;
    this.#order = items.map((item) => {
      const known = this.#rows.get(item.notification_id);
      // A link never changes.
      const row = known ?? new Row(item, this.#host);
      if (!known && fresh) row.element.classList.add('new');
      row.update(item, anew);
      rows.set(item.notification_id, row);
      return row;
    });
    for (const [id, row] of this.#rows) if (!rows.has(id)) row.element.remove();
    this.#rows = rows;
    this.#order.forEach((row, n) => {
      set(row.element, { 'aria-posinset': n + 1, 'aria-setsize': -1 });
      const there = this.element.children[n];
      if (there !== row.element) this.element.insertBefore(row.element, there ?? null);
    });
    const lost = focused >= 0 && !this.#order.includes(before[focused]!);
    const next = lost ? this.#order[Math.min(focused, this.#order.length - 1)] : undefined;
    if (next) {
      this.#reach(next);
      next.element.focus();
    } else if (!this.#reached || !this.#order.includes(this.#reached)) {
      this.#reach(this.#order[0]);
    }
    return lost && !next;
  }

  tick(): void {
    for (const row of this.#order) row.tick();
  }

  /** Focuses the first row. */
  enter(): void {
    this.#go(0);
  }

  #reach(row: Row | undefined): void {
    if (row === this.#reached) return;
    this.#reached?.reach(false);
    this.#reached = row;
    row?.reach(true);
  }

  #go(n: number): void {
    const row = this.#order[Math.max(0, Math.min(n, this.#order.length - 1))];
    row?.element.focus();
  }

  #key(event: KeyboardEvent): void {
    const row = this.#reached;
    const at = row ? this.#order.indexOf(row) : -1;
    if (!row || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const onRow = event.target === row.element;
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      PageDown: at + 1,
      ArrowUp: at - 1,
      PageUp: at - 1,
      Home: 0,
      End: this.#order.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) this.#go(to);
    else if (event.key === 'Delete') row.delete();
    else if (onRow && event.key === 'Enter') row.activate();
    else if (onRow && event.key === ' ') row.toggleRead();
    else return;
    event.preventDefault();
  }
}
