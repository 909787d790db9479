/** The view of a conversation: messages, people, and the field to write in. */

import { h, icon, setText } from "./dom.js";
import { VirtualList } from "./list.js";
import { drawMessage, drawNotice } from "./message.js";
import { People } from "./people.js";
import { explain, formatDay, formatDuration, formatNumber, plural, preview, startOfDay } from "./text.js";

/** @import { Announcer } from "./announcer.js" */
/** @import { Chat } from "./chat.js" */
/** @import { Conversation, Item } from "./conversation.js" */

/** Messages of one author stand together if they are this close, in milliseconds. */
const TOGETHER = 5 * 60_000;
/** How often the page asks who is here, if the server sends no presence events. */
const LOOK_EVERY = 10_000;
/** The least time between two redraws. Nobody reads faster, and it leaves the processor to others. */
const REST = 50;
/** Earlier messages are loaded when the scroller is this near to the first, in pixels. */
const NEAR_BEGIN = 800;
/** The server's limit of a body, less what JSON adds. */
const MAX_BYTES = 24_000;
/** How long the result of a time away is shown, in milliseconds. */
const COMEBACK_SHOWN = 8_000;

export class Talk {
  #chat;
  #announcer;
  /** @type {Conversation} */
  #conversation;
  /** @type {readonly Item[]} */
  #items = [];
  /** @type {Item | undefined} */
  #firstItem;
  /** @type {Item | null} */
  #newFrom = null;
  #hadEarlier = true;
  #refreshedAt = 0;
  /** The newest message that was handled. @type {Item | undefined} */
  #newest;
  #missed = 0;
  #isDirty = false;
  /** @type {Set<Item>} */
  #changed = new Set();
  /** @type {(() => void)[]} */
  #ends = [];

  #title = h("h1", { tabIndex: -1 });
  #subtitle = h("p", { class: "subtitle" });
  #banner = h("div", { class: "banner" });
  #top = h("p", { class: "top", "aria-live": "off" });
  #scroller = h("div", { class: "messages", role: "feed", tabIndex: 0 });
  #latest = h("button", { class: "latest", type: "button", hidden: true });
  #box = h("textarea", { id: "composer", rows: 1, "aria-label": "Message", "aria-describedby": "composer-hint", enterKeyHint: "send" });
  #typing = h("p", { class: "typing", "aria-live": "off" });
  #hint = h("p", { id: "composer-hint", class: "hint" });
  #composer = h("form", { class: "composer", "aria-label": "Write" });
  #shut = h("div", { class: "shut" });
  #people;
  #leaveButton = h("button", { class: "icon-button", type: "button" }, icon("leave"), h("span", { class: "unseen" }, "Leave"));
  #list;

  /** @param {Chat} chat @param {Conversation} conversation @param {Announcer} announcer */
  constructor(chat, conversation, announcer) {
    this.#chat = chat;
    this.#conversation = conversation;
    this.#announcer = announcer;
    this.#people = new People(chat.user);
    const send = h("button", { class: "send", type: "submit" }, icon("send"), h("span", { class: "unseen" }, "Send"));
    this.#composer.append(this.#typing, h("div", { class: "composer-box" }, this.#box, send), this.#hint);
    this.element = h(
      "div",
      { class: "talk" },
      h(
        "main",
        { id: "main", class: "talk-main" },
        h(
          "header",
          { class: "talk-head" },
          h("a", { class: "icon-button back", href: "#/" }, icon("back"), h("span", { class: "unseen" }, "All conversations")),
          h("div", { class: "talk-title" }, this.#title, this.#subtitle),
          this.#people.button,
          this.#leaveButton,
        ),
        this.#banner,
        h("div", { class: "messages-frame" }, this.#top, this.#scroller, this.#latest),
        this.#shut,
        this.#composer,
      ),
      this.#people.element,
    );
    this.#list = new VirtualList(/** @type {HTMLElement} */ (this.#scroller), {
      draw: (/** @type {Item} */ item, index) => this.#draw(item, index),
      onScroll: () => this.#scrolled(),
    });
    this.#begin();
  }

  #begin() {
    const { kind, title, draft } = this.#conversation;
    this.#title.textContent = kind === "room" ? `# ${title}` : title;
    this.#scroller.setAttribute("aria-label", `Messages in ${title}`);
    this.#box.placeholder = kind === "room" ? `Write to # ${title}` : `Write to ${title}`;
    this.#box.value = draft;
    this.#people.button.hidden = this.#people.element.hidden = kind !== "room";
    this.#leaveButton.hidden = kind === "everyone";
    this.#leaveButton.addEventListener("click", () => {
      this.#chat.leave(this.#conversation);
      location.hash = "#/";
    });
    this.#latest.addEventListener("click", () => {
      this.#list.scrollToEnd();
      this.#box.focus();
    });
    this.#composer.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#send();
    });
    this.#box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.#box.addEventListener("input", () => {
      this.#typed();
      this.#chat.typing(this.#conversation, this.#box.value !== "");
    });
    this.#scroller.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#move(event));
    this.element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape" && this.#people.isOpen) this.#people.toggle();
    });
    this.#listen("conversation", ({ conversation, item }) => {
      if (conversation === this.#conversation) this.#changedItem(item);
    });
    this.#listen("people", ({ conversation }) => conversation === this.#conversation && this.#showPeople());
    this.#listen("typing", ({ conversation }) => conversation === this.#conversation && this.#showTyping());
    this.#listen("status", () => {
      this.#showStatus();
      if (this.#chat.status === "live") this.#chat.look(this.#conversation);
    });
    const timer = setInterval(() => document.hidden || this.#chat.look(this.#conversation), LOOK_EVERY);
    this.#ends.push(() => clearInterval(timer));
    this.#chat.look(this.#conversation);
    this.#showStatus();
    this.#showPeople();
    this.#showTyping();
    // The view has no size before it is in the document.
    queueMicrotask(() => this.#open());
  }

  /** @param {string} name @param {(detail: any) => void} act */
  #listen(name, act) {
    const listener = (/** @type {any} */ event) => act(event.detail);
    this.#chat.addEventListener(name, listener);
    this.#ends.push(() => this.#chat.removeEventListener(name, listener));
  }

  end() {
    this.#conversation.draft = this.#box.value;
    for (const end of this.#ends) end();
  }

  focus() {
    if (this.#composer.hidden || matchMedia("(pointer: coarse)").matches) this.#title.focus();
    else this.#box.focus();
  }

  // The list.

  #open() {
    this.#items = [...this.#conversation.items];
    this.#firstItem = this.#items[0];
    this.#newest = this.#conversation.log.at(-1);
    this.#list.reset(this.#items);
    const { newFrom } = this.#conversation;
    if (newFrom) {
      this.#list.scrollTo(this.#items.indexOf(newFrom));
      this.#scrolled();
    }
    this.#showEdges();
    this.#typed();
    this.#loadEarlierIfNear();
  }

  /** @param {Item | undefined} item */
  #changedItem(item) {
    if (item) {
      this.#changed.add(item);
      // Only a new message at the end is read out, or counted for a user who reads further up.
      const isNew = this.#conversation.log.at(-1) === item && item !== this.#newest && item.kind === "message";
      if (isNew) this.#newest = item;
      if (isNew && item.from !== this.#chat.user) {
        this.#announcer.message(`${item.from}: ${preview(item)}`);
        if (!this.#list.isAtEnd) this.#missed += 1;
      }
    }
    if (this.#isDirty) return;
    this.#isDirty = true;
    // Everything that comes within one frame is drawn at once; in a busy room, within some frames.
    const rest = this.#refreshedAt + REST - performance.now();
    if (rest <= 0) requestAnimationFrame(() => this.#refresh());
    else setTimeout(() => requestAnimationFrame(() => this.#refresh()), rest);
  }

  #refresh() {
    this.#isDirty = false;
    this.#refreshedAt = performance.now();
    const conversation = this.#conversation;
    const sent = conversation.waiting.at(-1);
    const isFreshlySent = sent?.state === "waiting" && !this.#items.includes(sent);
    if (this.#list.isAtEnd && conversation.trim()) this.#firstItem = undefined;
    const before = this.#firstItem;
    this.#items = [...conversation.items];
    const changed = this.#changed;
    this.#changed = new Set();
    if (conversation.recovery) changed.add(conversation.recovery);
    if (this.#newFrom && this.#newFrom !== conversation.newFrom) changed.add(this.#newFrom);
    this.#newFrom = conversation.newFrom;
    // The item that was first has others before it now, and may stand together with them.
    if (before && this.#items[0] !== before) changed.add(before);
    if (this.#hadEarlier !== conversation.hasEarlier && this.#items[0]) changed.add(this.#items[0]);
    this.#hadEarlier = conversation.hasEarlier;
    this.#firstItem = this.#items[0];
    if (isFreshlySent) {
      this.#list.isAtEnd = true;
      this.#missed = 0;
    }
    this.#list.show(this.#items, changed);
    this.#showEdges();
    this.#loadEarlierIfNear();
  }

  #scrolled() {
    if (this.#list.isAtEnd) this.#missed = 0;
    this.#showEdges();
    this.#loadEarlierIfNear();
  }

  #loadEarlierIfNear() {
    if (this.#scroller.scrollTop < NEAR_BEGIN && this.#conversation.begin === 0) this.#chat.loadEarlier(this.#conversation);
  }

  #showEdges() {
    const { isLoading, log, gone } = this.#conversation;
    this.#scroller.setAttribute("aria-busy", String(isLoading));
    const text = isLoading ? "Loading earlier messages …" : log.length === 0 && !gone ? this.#emptyText() : "";
    setText(this.#top, text);
    this.#top.hidden = text === "";
    this.#top.classList.toggle("is-empty", log.length === 0 && !isLoading);
    this.#latest.hidden = this.#list.isAtEnd;
    const label = this.#missed > 0 ? plural(this.#missed, "new message") : "To the latest";
    if (this.#latest.textContent !== label) this.#latest.replaceChildren(icon("down"), label);
  }

  #emptyText() {
    const { kind, title } = this.#conversation;
    if (kind === "everyone") return "Messages from services to everyone appear here.";
    if (kind === "direct") return `No messages between you and ${title} yet. If ${title} is away, yours wait in the inbox.`;
    return this.#chat.status === "live" ? "Nobody has said anything here yet." : "";
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    const from = this.#list.indexOf(document.activeElement);
    const isHome = event.key === "Home" || event.key === "End";
    if (event.ctrlKey || event.metaKey || event.altKey || (step === undefined && !isHome)) return;
    event.preventDefault();
    const last = this.#items.length - 1;
    const start = from >= 0 ? from : this.#list.isAtEnd ? last + 1 : this.#list.range.last;
    const index = event.key === "Home" ? 0 : event.key === "End" ? last : Math.min(last, Math.max(0, start + (step ?? 0)));
    this.#list.reveal(index)?.focus({ preventScroll: true });
  }

  /** @param {Item} item @param {number} index */
  #draw(item, index) {
    const before = this.#items[index - 1];
    const isNewDay = !before || startOfDay(before.at) !== startOfDay(item.at);
    const { kind, title, begin, hasEarlier } = this.#conversation;
    const marks = [
      index === 0 && kind === "room" && begin === 0 && !hasEarlier && h("p", { class: "beginning" }, `This is where # ${title} begins.`),
      isNewDay && h("div", { class: "day" }, h("span", {}, formatDay(item.at))),
      item === this.#conversation.newFrom && h("div", { class: "new" }, h("span", {}, "New")),
    ];
    const place = { chat: this.#chat, conversation: this.#conversation, announcer: this.#announcer };
    const isTogether = !isNewDay && !marks[2] && belongTo(before, item);
    const content = item.kind === "notice" ? drawNotice(item, place) : drawMessage(item, isTogether, place);
    return h(
      "article",
      { class: "row", tabIndex: -1, "aria-posinset": item.seq ?? index + 1, "aria-setsize": -1, "data-id": item.id },
      ...marks,
      content,
    );
  }

  // Status.

  #showStatus() {
    const { status, trouble, isRefused, comeback } = this.#chat;
    const again = h("button", { type: "button", class: "quiet", onclick: () => this.#chat.wake() }, "Try now");
    let parts = /** @type {any[]} */ ([]);
    let tone = "warn";
    if (status === "closed") parts = [trouble ? `The stack closed the connection for good: ${trouble}.` : "Closed."];
    else if (isRefused) parts = [h("strong", {}, "The stack refused your token. "), `It says: ${trouble}. `, again];
    else if (status === "offline")
      parts = [h("strong", {}, "Offline. "), `${capital(trouble)}. What you write waits, and is sent once the connection is back. `, again];
    else if (status === "recovering") parts = ["Catching up …"];
    else if (status === "connecting") parts = ["Connecting …"];
    else if (comeback) {
      tone = comeback.isComplete ? "good" : "warn";
      parts = [comebackText(comeback)];
      setTimeout(() => this.#forgetComeback(comeback), COMEBACK_SHOWN);
    }
    const text = parts.map((part) => part.textContent ?? part).join("");
    if (this.#banner.dataset.text === text) return;
    this.#banner.dataset.text = text;
    this.#banner.dataset.tone = tone;
    this.#banner.replaceChildren(...(parts.length > 0 ? [h("p", {}, ...parts)] : []));
    this.#showGone();
  }

  /** @param {object} comeback */
  #forgetComeback(comeback) {
    if (this.#chat.comeback !== comeback) return;
    this.#chat.comeback = null;
    this.#showStatus();
  }

  #showGone() {
    const { gone, kind } = this.#conversation;
    const isOver = this.#chat.status === "closed";
    this.#composer.hidden = kind === "everyone" || Boolean(gone) || isOver;
    this.#shut.hidden = !gone || isOver;
    if (!gone) return;
    const back = h("button", { type: "button", class: "primary", onclick: () => this.#chat.rejoin(this.#conversation) }, "Join again");
    this.#shut.replaceChildren(h("p", {}, `You are not in this room: ${explain(gone)}.`), back);
  }

  #showPeople() {
    this.#showGone();
    const { people, kind, id } = this.#conversation;
    if (kind === "direct") return setText(this.#subtitle, "Direct messages");
    if (kind === "everyone") return setText(this.#subtitle, "Messages to everyone");
    if (!people) return;
    setText(this.#subtitle, this.#people.show(people, id));
  }

  #showTyping() {
    const [first, second, third, ...more] = this.#conversation.typists.keys();
    const names = third ? `${first}, ${second} and ${third}` : second ? `${first} and ${second}` : first;
    setText(this.#typing, more.length > 0 ? "Several people are typing …" : names ? `${names} ${second ? "are" : "is"} typing …` : "");
  }

  // Writing.

  #typed() {
    const size = new TextEncoder().encode(this.#box.value).length;
    const isTooLong = size > MAX_BYTES;
    this.#box.setAttribute("aria-invalid", String(isTooLong));
    setText(this.#hint, isTooLong ? `Too long by ${formatNumber(size - MAX_BYTES)} bytes` : "Enter sends, Shift + Enter begins a line");
    this.#hint.classList.toggle("error", isTooLong);
    this.#box.style.height = "auto";
    this.#box.style.height = `${Math.min(this.#box.scrollHeight, 200)}px`;
  }

  #send() {
    const text = this.#box.value.trim();
    if (text === "" || this.#box.getAttribute("aria-invalid") === "true") return;
    this.#chat.send(this.#conversation, text);
    this.#box.value = "";
    this.#typed();
  }
}

/** Whether a message stands together with the one before it. @param {Item | undefined} before @param {Item} item */
function belongTo(before, item) {
  return before?.kind === "message" && before.from === item.from && item.at - before.at < TOGETHER;
}

/** @param {{awayFor: number, recovered: number, isComplete: boolean}} comeback */
export function comebackText({ awayFor, recovered, isComplete }) {
  const away = `Back after ${formatDuration(awayFor)}: `;
  if (!isComplete) return `${away}not all missed messages could be recovered.`;
  return recovered > 0 ? `${away}${plural(recovered, "message")} recovered, nothing lost.` : `${away}nothing was missed.`;
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
