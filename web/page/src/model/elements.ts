/** Elements of the page, made without ever reading text as markup. */

type Child = Node | string;

/** An element with properties (`className`, `id`, …); names with a dash and `role` become attributes. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Readonly<Record<string, string | number | boolean>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made && !key.includes('-') && key !== 'role' && key !== 'width' && key !== 'height' && key !== 'htmlFor') Reflect.set(made, key, value);
    else made.setAttribute(key === 'htmlFor' ? 'for' : key, String(value));
  }
  made.append(...children);
  return made;
}

export function svg(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function clear(parent: Element): void {
  parent.replaceChildren();
}

export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
