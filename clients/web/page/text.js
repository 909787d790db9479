/** Words for the page: numbers, times, errors, and what a message says. */

/** @import { Item } from "./conversation.js" */

const numbers = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const dayName = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** @param {number} value */
export const formatNumber = (value) => numbers.format(value);

/** @param {number} at */
export const formatTime = (at) => clock.format(at);

/** @param {number} at */
export const formatFullTime = (at) => fullTime.format(at);

/** @param {number} at */
export function formatDay(at) {
  const days = Math.round((startOfDay(Date.now()) - startOfDay(at)) / 86_400_000);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : dayName.format(at);
}

/** @param {number} at */
export const startOfDay = (at) => new Date(at).setHours(0, 0, 0, 0);

/** @param {number} ms */
export function formatDuration(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) => `${formatNumber(count)} ${count === 1 ? one : many}`;

/** An error in words for the user. @param {any} error */
export function explain(error) {
  switch (error?.code) {
    case "banned":
      return error.retryMs ? `you are banned here for ${formatDuration(error.retryMs)} more` : "you are banned";
    case "kicked":
      return "a moderator removed you; you may come back";
    case "room_closed":
      return "the room is closed until a moderator opens it again";
    case "not_allowed":
      return "your token does not allow it";
    case "too_many_rooms":
      return "you are in as many rooms as allowed: leave one first";
    case "body_too_large":
      return "it is too long: send less, or a link to it";
    case "outbox_full":
      return "too many messages are waiting already";
    case "in_doubt":
      return "the connection was lost before the answer: it may have arrived, or not";
    default:
      return error?.message ?? String(error);
  }
}

/** The text of a chat message's body; another body as JSON. @param {any} body @returns {{text: string, isJson: boolean}} */
export function readBody(body) {
  const text = typeof body === "string" ? body : body?.text;
  return typeof text === "string" ? { text, isJson: false } : { text: JSON.stringify(body, null, 1), isJson: true };
}

/** One line for an item. @param {Item | undefined} item */
export function preview(item) {
  if (!item) return "";
  if (item.kind === "notice") return item.text ?? "";
  return item.isDeleted ? "message deleted" : readBody(item.body).text;
}

const ID = /^[A-Za-z0-9._:-]{1,64}$/;

/** Why a name can't be used; empty if it can. @param {string} id */
export function complainAboutId(id) {
  if (ID.test(id)) return "";
  if (id === "") return "A name is missing.";
  return id.length > 64 ? "At most 64 characters, please." : "Use letters without accents, digits and . _ : - only.";
}
