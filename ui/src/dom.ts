/** The least of a way to make elements. Text goes in as text alone. */

type Value = string | number | boolean | null | undefined | EventListener;

/** Sets attributes: none, empty or a text; and what begins with `on` listens. */
export function set(element: Element, attributes: Record<string, Value>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? '' : String(value));
  }
}

/** Makes an element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, Value> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  set(element, attributes);
  element.append(...children);
  return element;
}

/** Makes a button. */
export function button(
  attributes: Record<string, Value>,
  click: () => void,
  ...children: Node[]
): HTMLButtonElement {
  return h('button', { type: 'button', part: 'button', ...attributes, onclick: click }, ...children);
}

/** Says a text, without touching what says it already. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** An icon that says nothing to a screen reader. */
export function icon(strokes: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  set(svg, { viewBox: '0 0 24 24', 'aria-hidden': 'true' });
  const path = document.createElementNS(svg.namespaceURI, 'path');
  set(path, { d: strokes });
  svg.append(path);
  return svg as SVGSVGElement;
}

/** Draws other strokes. */
export function redraw(svg: SVGSVGElement, strokes: string): void {
  set(svg.firstElementChild!, { d: strokes });
}
