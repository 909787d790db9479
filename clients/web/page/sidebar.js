/** Navigation: rooms, people and the dashboard; also the status of the connection, and the user. */

import { avatar, h, icon, setText } from "./dom.js";
import { complainAboutId, formatNumber } from "./text.js";

/** @import { Chat } from "./chat.js" */
/** @import { Conversation } from "./conversation.js" */

const STATUS = { connecting: "Connecting", live: "Live", recovering: "Catching up", offline: "Offline", closed: "Closed" };

export class Sidebar {
  #chat;
  #rooms = h("ul", { class: "conversations" });
  #directs = h("ul", { class: "conversations" });
  #status = h("span", { class: "status" });
  #dashboard = h("a", { class: "nav-link", href: "#/dashboard" }, icon("dashboard"), h("span", {}, "Dashboard"));
  /** @type {Map<Conversation, {row: HTMLElement, badge: HTMLElement, link: HTMLElement, hint: HTMLElement}>} */
  #rows = new Map();

  /** @param {Chat} chat @param {() => void} leave */
  constructor(chat, leave) {
    this.#chat = chat;
    this.element = h(
      "nav",
      { class: "sidebar", "aria-label": "Conversations" },
      h("header", { class: "brand" }, icon("logo"), h("span", { class: "brand-name" }, "Hubbub"), this.#status),
      h(
        "div",
        { class: "sidebar-scroll" },
        h("section", {}, h("h2", { id: "rooms-title" }, "Rooms"), this.#rooms, opener("room", "Join a room", "a room's name")),
        h(
          "section",
          {},
          h("h2", { id: "directs-title" }, "Direct messages"),
          this.#directs,
          opener("direct", "Write to a person", "a person's name"),
        ),
      ),
      h(
        "footer",
        {},
        this.#dashboard,
        h(
          "div",
          { class: "me" },
          avatar(chat.user),
          h("span", { class: "me-name" }, chat.user, chat.isModerator && h("small", {}, "moderator")),
          h("button", { class: "quiet", type: "button", onclick: leave }, "Change"),
        ),
      ),
    );
    this.#rooms.setAttribute("aria-labelledby", "rooms-title");
    this.#directs.setAttribute("aria-labelledby", "directs-title");
    this.update();
  }

  update() {
    const chat = this.#chat;
    setText(this.#status, STATUS[chat.status]);
    this.#status.dataset.status = chat.status;
    const all = [...chat.conversations.values()];
    const rooms = all.filter(({ kind }) => kind !== "direct").sort((one, other) => rank(one) - rank(other));
    place(
      this.#rooms,
      rooms.map((conversation) => this.#row(conversation)),
    );
    place(
      this.#directs,
      all.filter(({ kind }) => kind === "direct").map((conversation) => this.#row(conversation)),
    );
    for (const conversation of this.#rows.keys()) if (!all.includes(conversation)) this.#rows.delete(conversation);
    if (location.hash === "#/dashboard") this.#dashboard.setAttribute("aria-current", "page");
    else this.#dashboard.removeAttribute("aria-current");
  }

  /** @param {Conversation} conversation */
  #row(conversation) {
    const { kind, title, unread, gone } = conversation;
    let parts = this.#rows.get(conversation);
    if (!parts) {
      const badge = h("span", { class: "badge", "aria-hidden": "true" });
      const hint = h("span", { class: "unseen" });
      const sign =
        kind === "direct" ? avatar(title) : kind === "everyone" ? icon("everyone") : h("span", { class: "hash", "aria-hidden": "true" }, "#");
      const link = h("a", { class: "nav-link", href: `#/${conversation.key}` }, sign, h("span", { class: "nav-title" }, title), hint, badge);
      parts = { row: h("li", {}, link), badge, link, hint };
      this.#rows.set(conversation, parts);
    }
    setText(parts.badge, unread > 0 ? (unread > 999 ? "999+" : formatNumber(unread)) : "");
    setText(parts.hint, unread > 0 ? `, ${formatNumber(unread)} unread` : "");
    parts.link.classList.toggle("has-unread", unread > 0);
    parts.link.classList.toggle("is-gone", Boolean(gone));
    if (conversation === this.#chat.current) parts.link.setAttribute("aria-current", "page");
    else parts.link.removeAttribute("aria-current");
    return parts.row;
  }
}

/** @param {Conversation} conversation */
const rank = ({ kind }) => (kind === "everyone" ? 1 : 0);

/** Gives the list these children, and changes nothing if it has them already. @param {Element} list @param {Element[]} children */
function place(list, children) {
  const isSame = list.children.length === children.length && children.every((child, index) => list.children[index] === child);
  if (!isSame) list.replaceChildren(...children);
}

/** A field that opens a conversation. @param {"room" | "direct"} kind @param {string} label @param {string} placeholder */
function opener(kind, label, placeholder) {
  const error = h("p", { id: `${kind}-error`, class: "error", role: "alert" });
  const field = h("input", {
    id: `open-${kind}`,
    placeholder,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: false,
    maxLength: 64,
    "aria-label": label,
    "aria-describedby": `${kind}-error`,
    oninput: () => setText(error, ""),
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const id = field.value.trim().replace(/^[#@]/, "");
    const complaint = complainAboutId(id);
    setText(error, complaint);
    if (complaint) return field.focus();
    field.value = "";
    location.hash = `#/${kind}/${id}`;
  };
  const button = h("button", { type: "submit", class: "icon-button", "aria-label": label }, icon("plus"));
  return h("form", { class: "opener", onsubmit: submit }, field, button, error);
}
