/** One message or notice as a row of a conversation. */

import { avatar, h, icon } from "./dom.js";
import { explain, formatDuration, formatFullTime, formatNumber, formatTime, readBody } from "./text.js";

/** @import { Announcer } from "./announcer.js" */
/** @import { Chat } from "./chat.js" */
/** @import { Conversation, Item } from "./conversation.js" */

/** @typedef {{chat: Chat, conversation: Conversation, announcer: Announcer}} Place */

/** @param {Item} item @param {Place} place */
export function drawNotice(item, { chat, conversation }) {
  const { begin, hasEarlier, log } = conversation;
  const mayLoad = item.notice === "reset" && log[begin - 1] === item && hasEarlier;
  const load = mayLoad && h("button", { type: "button", class: "quiet", onclick: () => chat.loadEarlier(conversation) }, "Load earlier messages");
  return h("p", { class: `notice ${item.notice}` }, item.text ?? "", load);
}

/** @param {Item} item @param {boolean} isTogether it stands with the message before it, of the same author @param {Place} place */
export function drawMessage(item, isTogether, place) {
  const { from = "", at, state } = item;
  const isMine = from === place.chat.user;
  const time = h("time", { dateTime: new Date(at).toISOString(), title: formatFullTime(at) }, formatTime(at));
  const name = h("span", { class: isMine ? "name is-mine" : "name" }, from);
  const head = h("p", { class: isTogether ? "unseen" : "head" }, name, " ", isTogether ? "" : time);
  const classes = ["message", isTogether && "is-together", state === "waiting" && "is-waiting", item.isRecovered && "is-recovered"];
  return h(
    "div",
    { class: classes.filter(Boolean).join(" ") },
    isTogether ? h("span", { class: "gutter", "aria-hidden": "true" }, formatTime(at)) : avatar(from),
    h("div", { class: "said" }, head, drawBody(item), drawState(item, place)),
    drawReceipt(item, place),
    drawActions(item, place),
  );
}

/** @param {Item} item */
function drawBody(item) {
  if (item.isDeleted) return h("p", { class: "text deleted" }, item.deletedBy ? `Deleted by ${item.deletedBy}` : "This message was deleted");
  const { text, isJson } = readBody(item.body);
  return isJson ? h("pre", { class: "text", tabIndex: 0 }, text) : h("p", { class: "text" }, ...linked(text));
}

/** The state of the user's own message, until it is sent. @param {Item} item @param {Place} place */
function drawState(item, { chat, conversation }) {
  const { state } = item;
  if (state === "failed") {
    const retry = h("button", { type: "button", class: "quiet", onclick: () => chat.retry(conversation, item) }, "Send again");
    const discard = h("button", { type: "button", class: "quiet", onclick: () => chat.discard(conversation, item) }, "Discard");
    return h("p", { class: "state failed" }, `Not sent: ${explain(item.error)}. `, retry, discard);
  }
  if (state === "waiting") return h("p", { class: "state" }, chat.status === "live" ? "Sending …" : "Waits for the connection");
  if (state === "accepted") return h("p", { class: "state" }, "Accepted");
  if (state === "unknown") return h("p", { class: "state" }, "Accepted, but the server no longer knows whether anybody got it");
  return null;
}

/** How many members got it. @param {Item} item @param {Place} place */
function drawReceipt({ receipt, isDeleted }, { conversation }) {
  if (!receipt || isDeleted) return null;
  const { delivered, members, failed, ms } = receipt;
  if (conversation.kind === "direct" && delivered === 0) return shortAndFull("in the inbox", `In the inbox: ${conversation.id} is away`);
  const time = formatDuration(ms);
  const text = `Delivered to ${formatNumber(delivered)} of ${formatNumber(members)} in ${time}`;
  return shortAndFull(`✓ ${formatNumber(delivered)} · ${time}`, failed > 0 ? `${text}; ${formatNumber(failed)} will recover it` : text);
}

/** @param {string} short @param {string} full */
function shortAndFull(short, full) {
  return h("p", { class: "receipt", title: full }, h("span", { "aria-hidden": "true" }, short), h("span", { class: "unseen" }, full));
}

/** @param {Item} item @param {Place} place */
function drawActions(item, { chat, conversation, announcer }) {
  if (item.isDeleted || item.seq === undefined || !chat.mayModerate(conversation)) return null;
  const erase = async () => {
    button.disabled = true;
    await chat.delete(conversation, item).catch((error) => {
      button.disabled = false;
      announcer.say(`Not deleted: ${explain(error)}`);
    });
  };
  const label = `Delete the message of ${item.from}`;
  const button = h("button", { type: "button", class: "icon-button delete", "aria-label": label, title: "Delete", onclick: erase }, icon("delete"));
  return button;
}

/** Text with its web addresses as links. @param {string} text */
function linked(text) {
  return text
    .split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])/)
    .map((part, index) => (index % 2 === 1 ? h("a", { href: part, target: "_blank", rel: "noreferrer noopener" }, part) : part));
}
