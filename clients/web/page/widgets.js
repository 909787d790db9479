/** What a dashboard is made of: tiles, stations and tables. */

import { h, setText } from "./dom.js";

/** The number of values in a tile's line. */
export const HISTORY = 120;
/** Stands for a number that is not known. */
export const DASH = "–";

/** A number with a line of its latest values. @param {string} name @param {string} meaning */
export function tile(name, meaning) {
  const value = h("dd", { class: "tile-value" }, DASH);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  line.setAttribute("class", "spark");
  line.setAttribute("viewBox", `0 0 ${HISTORY - 1} 30`);
  line.setAttribute("preserveAspectRatio", "none");
  line.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.append(path);
  /** @type {(number | null)[]} */
  const past = [];
  return {
    element: h(
      "div",
      { class: "tile" },
      h("dt", {}, name),
      value,
      h("dd", { class: "tile-meaning" }, meaning),
      h("dd", { class: "tile-spark" }, line),
    ),
    /** @param {number | null} now @param {(value: number) => string} format */
    show(now, format) {
      setText(value, now === null ? DASH : format(now));
      past.push(now);
      if (past.length > HISTORY) past.shift();
      path.setAttribute("d", spark(past));
    },
  };
}

/** The path of a line through the known values. @param {(number | null)[]} values */
function spark(values) {
  const most = Math.max(1e-9, ...values.map((value) => value ?? 0));
  let path = "";
  let isOn = false;
  values.forEach((value, index) => {
    if (value === null) return void (isOn = false);
    path += `${isOn ? "L" : "M"}${HISTORY - values.length + index} ${(28 - (value / most) * 26).toFixed(1)}`;
    isOn = true;
  });
  return path;
}

/** @param {string} name @param {string} does */
export function station(name, does) {
  const first = h("span", { class: "station-value" }, DASH);
  const second = h("span", { class: "station-more" }, DASH);
  const element = h(
    "li",
    { class: "station" },
    h("span", { class: "station-name" }, name),
    h("span", { class: "station-does" }, does),
    first,
    second,
  );
  return {
    element,
    /** @param {string} value @param {string} more @param {boolean} isBusy */
    show(value, more, isBusy) {
      setText(first, value);
      setText(second, more);
      element.classList.toggle("is-busy", isBusy);
    },
  };
}

/**
 * @param {string} caption @param {string[]} columns @param {string} hint below the table
 * @param {{isOnlyForEmpty?: boolean}} [options] whether the hint goes when there are rows
 */
export function table(caption, columns, hint, { isOnlyForEmpty = false } = {}) {
  const body = h("tbody", {});
  const note = h("p", { class: "hint" }, hint);
  const element = h(
    "div",
    {},
    h("h2", {}, caption),
    h(
      "div",
      { class: "table-frame", tabIndex: 0, role: "region", "aria-label": caption },
      h("table", {}, h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { scope: "col" }, name)))), body),
    ),
    note,
  );
  return {
    element,
    /** @param {string[][]} rows */
    show(rows) {
      while (body.rows.length > rows.length) body.deleteRow(-1);
      rows.forEach((cells, index) => {
        const row =
          body.rows[index] ?? body.appendChild(h("tr", {}, ...cells.map((_, column) => (column === 0 ? h("th", { scope: "row" }) : h("td", {})))));
        cells.forEach((text, column) => setText(row.cells[column], text));
      });
      note.hidden = isOnlyForEmpty && rows.length > 0;
    },
  };
}
