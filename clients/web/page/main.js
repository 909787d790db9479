/** Starts the page: signs in, and shows the view of the address. */

import { Announcer } from "./announcer.js";
import { Chat } from "./chat.js";
import { Dashboard } from "./dashboard.js";
import { h } from "./dom.js";
import { Sidebar } from "./sidebar.js";
import { signIn } from "./signin.js";
import { fetchStack } from "./stack.js";
import { readJson } from "./storage.js";
import { comebackText, Talk } from "./talk.js";
import { complainAboutId } from "./text.js";

/** Where the tab keeps the user and the client's state over a reload. */
const REMEMBERED = "hubbub.session";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const announcer = new Announcer(/** @type {HTMLElement} */ (document.getElementById("announcer")));

/** @param {string} hint */
function showSignIn(hint = "") {
  document.title = "Hubbub";
  const last = readJson(localStorage, "hubbub.name");
  const { view, focus } = signIn({ user: last?.user ?? "", isModerator: last?.isModerator ?? false, hint, enter });
  root.replaceChildren(view);
  focus();
}

/** @param {{user: string, isModerator: boolean}} who */
function enter(who) {
  localStorage.setItem("hubbub.name", JSON.stringify(who));
  if (location.hash === "" || location.hash === "#/") history.replaceState(null, "", "#/room/lobby");
  start(who);
}

/** @param {{user: string, isModerator: boolean}} who @param {import("../sdk/hubbub.js").State} [state] */
async function start(who, state) {
  let stack;
  try {
    stack = await fetchStack();
  } catch (error) {
    return showSignIn(`The page can’t start: ${/** @type {Error} */ (error).message}.`);
  }
  const chat = new Chat(stack, who, state);
  const remember = () => sessionStorage.setItem(REMEMBERED, JSON.stringify({ who, state: chat.state }));
  remember();
  addEventListener("pagehide", remember);
  const leave = () => {
    removeEventListener("pagehide", remember);
    sessionStorage.removeItem(REMEMBERED);
    chat.close();
    // A fresh page keeps nothing of the user before.
    location.hash = "#/";
    location.reload();
  };
  new Window(chat, stack, leave);
}

/** The sidebar and the open view. */
class Window {
  #chat;
  #stack;
  #sidebar;
  #stage = h("div", { class: "stage" });
  /** @type {{element: HTMLElement, focus: () => void, end: () => void} | null} */
  #view = null;
  #isFirst = true;
  /** The list is shown again in the next frame. */
  #isDue = false;

  /** @param {Chat} chat @param {import("./stack.js").Stack} stack @param {() => void} leave */
  constructor(chat, stack, leave) {
    this.#chat = chat;
    this.#stack = stack;
    this.#sidebar = new Sidebar(chat, leave);
    root.replaceChildren(h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to the open conversation"), this.#sidebar.element, this.#stage);
    chat.addEventListener("status", () => this.#statusChanged());
    chat.addEventListener("list", () => this.#listChanged());
    chat.addEventListener("conversation", () => this.#listChanged());
    addEventListener("hashchange", () => this.#route());
    document.addEventListener("visibilitychange", () => this.#seen());
    // A tab that was asleep checks its socket at once.
    document.addEventListener("resume", () => chat.wake());
    addEventListener("pageshow", ({ persisted }) => persisted && chat.wake());
    this.#route();
  }

  #route() {
    const [, kind, id = ""] = decodeURIComponent(location.hash).match(/^#\/(room|direct|everyone|dashboard)(?:\/(.*))?$/) ?? [];
    this.#view?.end();
    this.#view = this.#makeView(kind, id);
    this.#stage.replaceChildren(this.#view.element);
    document.body.dataset.pane = kind ? "stage" : "list";
    this.#listChanged();
    if (!this.#isFirst || kind !== "dashboard") this.#view.focus();
    this.#isFirst = false;
  }

  /** @param {string | undefined} kind @param {string} id */
  #makeView(kind, id) {
    this.#chat.blur();
    if (kind === "dashboard") return new Dashboard(this.#chat, this.#stack);
    if (kind === "everyone") return new Talk(this.#chat, this.#chat.open("everyone", "everyone"), announcer);
    if ((kind === "room" || kind === "direct") && complainAboutId(id) === "") return new Talk(this.#chat, this.#chat.open(kind, id), announcer);
    return welcome();
  }

  #statusChanged() {
    const { status, comeback, trouble, isRefused } = this.#chat;
    this.#sidebar.update();
    if (status === "live" && comeback) announcer.say(comebackText(comeback));
    if (status === "offline") announcer.say(isRefused ? `The stack refused your token: ${trouble}` : `Offline: ${trouble}`);
    if (status === "closed" && trouble) announcer.say(`Closed: ${trouble}`);
  }

  #listChanged() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#sidebar.update();
      const { unread, current } = this.#chat;
      const place = current ? `${current.kind === "room" ? "# " : ""}${current.title}` : location.hash === "#/dashboard" ? "Dashboard" : "";
      const title = `${unread > 0 ? `(${unread}) ` : ""}${place ? `${place} · ` : ""}Hubbub`;
      if (document.title !== title) document.title = title;
    });
  }

  #seen() {
    if (document.hidden) return;
    this.#chat.read();
    this.#chat.wake();
  }
}

/** The view without a conversation. A phone shows only the list of conversations then. */
function welcome() {
  const title = h("h1", { tabIndex: -1 }, "Nothing is open");
  const element = h("main", { id: "main", class: "welcome" }, title, h("p", { class: "hint" }, "Choose a room or a person."));
  return { element, focus: () => title.focus(), end: () => {} };
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  const composer = document.getElementById("composer");
  const isThere = composer !== null && composer.offsetParent !== null;
  (isThere ? composer : /** @type {HTMLElement | null} */ (document.querySelector("main h1")))?.focus();
}

const remembered = readJson(sessionStorage, REMEMBERED);
if (remembered?.who) start(remembered.who, remembered.state);
else showSignIn();
