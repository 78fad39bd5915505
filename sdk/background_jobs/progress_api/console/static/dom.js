/** Builds elements. Strings become text or attribute values, never markup: what they hold cannot run. */

/** Return an element; attributes that are null or false are left out, and `on...` ones are listeners. */
export function h(name, attributes = {}, ...children) {
  return furnished(document.createElement(name), attributes, children);
}

/** Return an element of SVG. */
export function svg(name, attributes = {}, ...children) {
  return furnished(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function furnished(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set the text of an element, and leave it alone where that changes nothing. */
export function say(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

/** Set the children of *parent*; those that stay in place keep focus and state. */
export function arrange(parent, children) {
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

/** Return a colour of the style sheet as the theme of the moment has it, for canvases. */
export function color(name) {
  if (!colors.has(name)) {
    probe.style.color = `var(--${name})`;
    colors.set(name, getComputedStyle(probe).color);
  }
  return colors.get(name);
}

const probe = h("span", { hidden: true });
document.documentElement.append(probe);
const colors = new Map();
// This module is loaded before those that paint, and so hears of a new theme before them.
addEventListener("themechange", () => colors.clear());
