/** Where the dropdown opens: below the bell, and always inside the window. */

const GAP = 8;

/** Puts a panel of the top layer by its anchor. */
export function place(panel: HTMLElement, anchor: Element): void {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = panel;
  const { clientWidth, clientHeight } = document.documentElement;
  const rtl = getComputedStyle(anchor).direction === 'rtl';
  // Its end at the bell's end, as bells stand at the end of a line.
  const left = rtl ? at.left : at.right - width;
  const below = at.bottom + GAP / 2;
  const above = at.top - height - GAP / 2;
  const top = below + height > clientHeight - GAP && above >= GAP ? above : below;
  const inside = (value: number, size: number, room: number) => Math.max(GAP, Math.min(value, room - size - GAP));
  panel.style.left = `${inside(left, width, clientWidth)}px`;
  panel.style.top = `${inside(top, height, clientHeight)}px`;
}
