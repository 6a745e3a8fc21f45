/** The least of a way to make elements. Text goes in as text alone. */
type Value = string | number | boolean | null | undefined | EventListener;
/** Sets attributes: none, empty or a text; and what begins with `on` listens. */
export declare function set(element: Element, attributes: Record<string, Value>): void;
/** Makes an element. */
export declare function h<K extends keyof HTMLElementTagNameMap>(name: K, attributes?: Record<string, Value>, ...children: (Node | string)[]): HTMLElementTagNameMap[K];
/** Makes a button. */
export declare function button(attributes: Record<string, Value>, click: () => void, ...children: Node[]): HTMLButtonElement;
/** Says a text, without touching what says it already. */
export declare function say(element: Element, text: string): void;
/** An icon that says nothing to a screen reader. */
export declare function icon(strokes: string): SVGSVGElement;
/** Draws other strokes. */
export declare function redraw(svg: SVGSVGElement, strokes: string): void;
export {};
