/** Builds elements. Strings become text or attribute values, never markup: what they hold cannot run. */

/**
 * Return an element. Attributes that are null or false are left out; those named `on...` are listeners.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} name
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

/**
 * Return an element of SVG.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} name
 * @param {Attributes} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(name, attributes = {}, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/**
 * @template {Element} Built
 * @param {Built} element
 * @param {Attributes} attributes
 * @param {Children} children
 * @returns {Built}
 */
function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * Set the text of an element, unless it has that text already.
 * @param {Element} element
 * @param {string | number} text
 */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = String(text);
}

/**
 * Set the children of *parent*; those that stay in place keep focus and state.
 * @param {Element} parent
 * @param {Element[]} children
 */
export function setChildren(parent, children) {
  /** @type {ChildNode | null} */
  let place = parent.firstChild;
  for (const child of children) {
    if (child === place) place = place.nextSibling;
    else parent.insertBefore(child, place);
  }
  while (place) {
    const rest = place.nextSibling;
    place.remove();
    place = rest;
  }
}

/**
 * Return a colour of the style sheet in the current theme, for canvases.
 * @param {string} name
 * @returns {string}
 */
export function color(name) {
  if (!colors.has(name)) {
    probe.style.color = `var(--${name})`;
    colors.set(name, getComputedStyle(probe).color);
  }
  return colors.get(name) ?? "";
}

/**
 * Return the context of a canvas, which every browser has.
 * @template Context
 * @param {Context | null} context
 * @returns {Context}
 */
export function context2d(context) {
  if (!context) throw new Error("The browser has no canvas.");
  return context;
}

/**
 * Return the element of the page with this id.
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element ${id}.`);
  return element;
}

const probe = h("span", { hidden: true });
document.documentElement.append(probe);
/** @type {Map<string, string>} */
const colors = new Map();
// This module is loaded before those that paint, so its listener runs before theirs.
addEventListener("themechange", () => colors.clear());
