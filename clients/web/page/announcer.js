/** What a screen reader reads out by itself: short texts, and in a busy room a number instead of each message. */

import { setText } from "./dom.js";

/** The time between two texts, in milliseconds. */
const PAUSE = 1_500;

export class Announcer {
  #element;
  /** @type {string[]} */
  #texts = [];
  #messages = 0;
  #isBusy = false;

  /** @param {Element} element a live region */
  constructor(element) {
    this.#element = element;
  }

  /** @param {string} text */
  say(text) {
    this.#texts.push(text);
    this.#next();
  }

  /** A message has come in the open conversation. @param {string} text */
  message(text) {
    this.#messages += 1;
    if (this.#isBusy && this.#messages > 1) return;
    this.#messages = 0;
    this.say(text);
  }

  #next() {
    if (this.#isBusy) return;
    const text = this.#texts.shift() ?? this.#takeCount();
    // The text is removed, so that a user who reads through the page doesn't find it.
    if (text === undefined) return setText(this.#element, "");
    this.#isBusy = true;
    setText(this.#element, text);
    setTimeout(() => {
      this.#isBusy = false;
      this.#next();
    }, PAUSE);
  }

  #takeCount() {
    const count = this.#messages;
    this.#messages = 0;
    return count > 0 ? `${count} more ${count === 1 ? "message" : "messages"}` : undefined;
  }
}
