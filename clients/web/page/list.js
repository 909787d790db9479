/**
 * A list of any length. Only the rows near the view are in the document.
 *
 * Rows may have any height. A row is measured when it is first drawn; before that, the average height stands for it. Rows in view keep their
 * place when others are added above or below, and a view at the end stays at the end. The scroller has no padding: a row's place is the sum
 * of the heights above it.
 */

/** Rows this many pixels above and below the view are drawn too. */
const MARGIN = 600;
/** A view this near to the end, in pixels, is at the end. */
const NEAR = 32;
/** The height of a row while no row was measured. */
const FIRST_GUESS = 44;

/** @template {object} Item */
export class VirtualList {
  #scroller;
  #draw;
  #onScroll;
  /** @type {readonly Item[]} */
  #items = [];
  /** @type {WeakMap<Item, number>} */
  #heights = new WeakMap();
  /** @type {Map<Item, HTMLElement>} */
  #rows = new Map();
  #above = spacer();
  #below = spacer();
  #measured = 0;
  #measuredSum = 0;
  #first = 0;
  #last = 0;
  #width = 0;
  #isScheduled = false;
  /** The last known `scrollTop`. */
  #lastTop = 0;
  isAtEnd = true;

  /**
   * @param {HTMLElement} scroller
   * @param {{draw: (item: Item, index: number) => HTMLElement, onScroll: () => void}} how
   */
  constructor(scroller, { draw, onScroll }) {
    this.#scroller = scroller;
    this.#draw = draw;
    this.#onScroll = onScroll;
    scroller.replaceChildren(this.#above, this.#below);
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(scroller);
  }

  /** The items that are in the document: from this index to before that. */
  get range() {
    return { first: this.#first, last: this.#last };
  }

  /**
   * @param {readonly Item[]} items the new items; rows of known ones are kept
   * @param {Iterable<Item>} changed items to draw again
   */
  show(items, changed) {
    this.#anchor = this.#findAnchor();
    this.#items = items;
    for (const item of changed) this.#redraw(item);
    this.#render();
  }

  /** Starts again with these items, at the end. @param {readonly Item[]} items */
  reset(items) {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
    this.#items = items;
    this.#anchor = null;
    this.isAtEnd = true;
    this.#render();
  }

  /** @param {Item} item */
  #redraw(item) {
    this.#heights.delete(item);
    const row = this.#rows.get(item);
    if (!row) return;
    const hasFocus = row.contains(document.activeElement);
    const fresh = this.#draw(item, this.#items.indexOf(item));
    row.replaceWith(fresh);
    this.#rows.set(item, fresh);
    if (hasFocus) fresh.focus({ preventScroll: true });
  }

  scrollToEnd() {
    this.#anchor = null;
    this.isAtEnd = true;
    this.#render();
  }

  /** Scrolls an item to the upper third of the view. @param {number} index */
  scrollTo(index) {
    const item = this.#items[index];
    if (!item) return;
    this.isAtEnd = false;
    this.#anchor = { item, top: this.#scroller.clientHeight / 3 };
    this.#render();
    this.#update();
  }

  /** Brings an item into view. Returns its row. @param {number} index @returns {HTMLElement | undefined} */
  reveal(index) {
    const item = this.#items[index];
    if (!item) return undefined;
    if (!this.#rows.has(item)) this.scrollTo(index);
    const row = this.#rows.get(item);
    row?.scrollIntoView({ block: "nearest" });
    return row;
  }

  /** @param {Element | null} element @returns {number} the index of the item that it belongs to, or -1 */
  indexOf(element) {
    for (const [item, row] of this.#rows) if (row.contains(element)) return this.#items.indexOf(item);
    return -1;
  }

  /** The item that keeps its place on the screen. @type {{item: Item, top: number} | null} */
  #anchor = null;

  /** The first row that is completely in view. @returns {{item: Item, top: number} | null} */
  #findAnchor() {
    if (this.isAtEnd) return null;
    const edge = this.#scroller.getBoundingClientRect().top;
    for (const [item, row] of this.#inOrder()) {
      const top = row.getBoundingClientRect().top - edge;
      if (top >= 0) return { item, top };
    }
    return null;
  }

  /** @returns {[Item, HTMLElement][]} */
  #inOrder() {
    /** @type {[Item, HTMLElement][]} */
    const rows = [];
    for (const item of this.#items.slice(this.#first, this.#last)) {
      const row = this.#rows.get(item);
      if (row) rows.push([item, row]);
    }
    return rows;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    if (Math.abs(scrollTop - this.#lastTop) >= 1) {
      // The smallest scroll upwards leaves the end: in a busy room, nobody could leave it otherwise. If the view has grown, the browser
      // scrolls up by itself, but no further than to the end.
      const rest = scrollHeight - scrollTop - clientHeight;
      this.isAtEnd = rest < (scrollTop > this.#lastTop ? NEAR : 1);
      this.#lastTop = scrollTop;
    }
    this.#onScroll();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => this.#update());
  }

  #update() {
    this.#isScheduled = false;
    this.#anchor = this.#findAnchor();
    this.#render();
  }

  #resized() {
    if (this.#scroller.clientWidth !== this.#width) {
      this.#width = this.#scroller.clientWidth;
      this.#heights = new WeakMap();
      this.#measured = this.#measuredSum = 0;
    }
    this.#anchor = this.#findAnchor();
    this.#render();
  }

  /** @param {Item} item */
  #height(item) {
    return this.#heights.get(item) ?? (this.#measured > 0 ? this.#measuredSum / this.#measured : FIRST_GUESS);
  }

  #render() {
    const scroller = this.#scroller;
    const view = scroller.clientHeight;
    if (view === 0) return;
    // A row that is drawn for the first time may have another height than the average, and then others are in view.
    for (let turn = 0; turn < 3; turn++) {
      const { tops, total } = this.#layOut();
      const top = this.#top(tops, total, view);
      const first = Math.max(0, search(tops, top - MARGIN) - 1);
      const last = Math.min(this.#items.length, search(tops, top + view + MARGIN));
      const wasKnown = this.#place(first, last);
      this.#above.style.height = `${tops[first] ?? 0}px`;
      const after = this.#layOut();
      this.#below.style.height = `${after.total - (after.tops[last] ?? after.total)}px`;
      const wanted = this.#top(after.tops, after.total, view);
      if (Math.abs(scroller.scrollTop - wanted) >= 1) scroller.scrollTop = wanted;
      if (wasKnown) break;
    }
    this.#lastTop = scroller.scrollTop;
  }

  #layOut() {
    const tops = new Float64Array(this.#items.length);
    let total = 0;
    for (let index = 0; index < tops.length; index++) {
      tops[index] = total;
      total += this.#height(this.#items[index]);
    }
    return { tops, total };
  }

  /** The `scrollTop` that is wanted. @param {Float64Array} tops @param {number} total @param {number} view */
  #top(tops, total, view) {
    if (this.isAtEnd) return Math.max(0, total - view);
    if (!this.#anchor) return this.#scroller.scrollTop;
    const index = this.#items.indexOf(this.#anchor.item);
    return index < 0 ? this.#scroller.scrollTop : Math.max(0, tops[index] - this.#anchor.top);
  }

  /** Puts exactly these rows into the document. Returns whether all their heights were known. @param {number} first @param {number} last */
  #place(first, last) {
    const wanted = new Set(this.#items.slice(first, last));
    for (const [item, row] of this.#rows) {
      if (wanted.has(item)) continue;
      if (row.contains(document.activeElement)) this.#scroller.focus({ preventScroll: true });
      row.remove();
      this.#rows.delete(item);
    }
    let before = /** @type {Element} */ (this.#above);
    let index = first;
    for (const item of wanted) {
      let row = this.#rows.get(item);
      if (!row) this.#rows.set(item, (row = this.#draw(item, index)));
      if (before.nextElementSibling !== row) before.after(row);
      before = row;
      index += 1;
    }
    this.#first = first;
    this.#last = last;
    const fresh = this.#inOrder().filter(([item]) => !this.#heights.has(item));
    for (const [item, row] of fresh) {
      const { height } = row.getBoundingClientRect();
      this.#heights.set(item, height);
      this.#measured += 1;
      this.#measuredSum += height;
    }
    return fresh.length === 0;
  }
}

function spacer() {
  const element = document.createElement("div");
  element.className = "spacer";
  element.setAttribute("aria-hidden", "true");
  return element;
}

/** The first index whose top is not above a place. @param {Float64Array} tops @param {number} place */
function search(tops, place) {
  let low = 0;
  let high = tops.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle] < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
