/** Short ways to make elements. Text is always set as text, so a message can't add markup. */

/**
 * An element with properties and children. `class`, `data-*`, `aria-*`, `role` and the like are attributes; `on*` are listeners; the rest are
 * properties. A child that is null, undefined or false is left out.
 * @param {string} tag @param {Record<string, any>} [given] @param {...any} children
 * @returns {any}
 */
export function h(tag, given = {}, ...children) {
  const element = /** @type {any} */ (document.createElement(tag));
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || ["class", "role", "for", "href"].includes(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An icon of index.html's sprite, hidden from screen readers. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A coloured disc with the first letters of a name. @param {string} name */
export function avatar(name) {
  const disc = h("span", { class: "avatar", "aria-hidden": "true" }, initials(name));
  let hue = 7;
  for (const letter of name) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  disc.style.setProperty("--hue", String(hue));
  return disc;
}

/** @param {string} name */
function initials(name) {
  const words = name.split(/[._:-]+/).filter(Boolean);
  const letters = words.length > 1 ? words[0][0] + words[1][0] : name.slice(0, 2);
  return letters.toUpperCase();
}

/** Sets the text only if it differs, so that nothing is laid out or read out twice. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
