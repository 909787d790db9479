/** The people in a room, and the button that opens their list on a phone. */

import { avatar, h, icon } from "./dom.js";
import { formatNumber, plural } from "./text.js";

/** @import { Conversation } from "./conversation.js" */

/** The server names this many users at most. */
const MAX_NAMES = 100;

export class People {
  #user;
  element = h("aside", { class: "people", "aria-label": "People here" });
  button = h(
    "button",
    { class: "icon-button", type: "button", "aria-expanded": "false", onclick: () => this.toggle() },
    icon("people"),
    h("span", { class: "unseen" }, "Who is here"),
  );

  /** @param {string} user */
  constructor(user) {
    this.#user = user;
  }

  get isOpen() {
    return this.element.classList.contains("is-open");
  }

  /** Shows the people. Returns their number in words. @param {NonNullable<Conversation["people"]>} people @param {string} room */
  show({ users, connections }, room) {
    const isAll = connections === null || users.length < MAX_NAMES;
    const me = this.#user;
    const sorted = [...users].sort((one, other) => Number(other === me) - Number(one === me) || one.localeCompare(other));
    const focused = document.activeElement?.closest(".people li")?.getAttribute("data-user");
    this.element.replaceChildren(
      h("h2", {}, "Here now ", h("span", { class: "count" }, formatNumber(connections ?? users.length))),
      h("ul", { "aria-label": `People in ${room}` }, ...sorted.map((user) => this.#draw(user))),
      h("p", { class: "hint", hidden: isAll }, "The first hundred are shown."),
    );
    if (focused) this.element.querySelector(`[data-user="${CSS.escape(focused)}"] a`)?.focus();
    const persons = isAll ? plural(users.length, "person", "people") : "a hundred people or more";
    return connections === null ? persons : `${plural(connections, "connection")} · ${persons}`;
  }

  /** @param {string} user */
  #draw(user) {
    const name = [avatar(user), h("span", { class: "nav-title" }, user)];
    const isMe = user === this.#user;
    const content = isMe
      ? h("span", { class: "nav-link" }, ...name, h("small", {}, "you"))
      : h("a", { class: "nav-link", href: `#/direct/${user}` }, ...name);
    return h("li", { "data-user": user }, content);
  }

  toggle() {
    const isOpen = this.element.classList.toggle("is-open");
    this.button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.element.querySelector("a")?.focus();
    else this.button.focus();
  }
}
