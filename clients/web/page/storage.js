/** What the browser keeps for a user: their rooms, and their own direct messages, which only the receiver's inbox has. */

/** @import { Conversation } from "./conversation.js" */

/** The most direct messages that are kept. */
const MAX_SENT = 200;

/** @param {Storage} storage @param {string} name @returns {any} */
export function readJson(storage, name) {
  try {
    return JSON.parse(storage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} user @returns {string[]} */
export function loadRooms(user) {
  const saved = readJson(localStorage, `hubbub.rooms.${user}`);
  return Array.isArray(saved) && saved.length > 0 ? saved.filter((id) => typeof id === "string") : ["lobby"];
}

/** @param {string} user @param {Iterable<Conversation>} conversations */
export function saveRooms(user, conversations) {
  const rooms = [...conversations].filter(({ kind }) => kind === "room").map(({ id }) => id);
  localStorage.setItem(`hubbub.rooms.${user}`, JSON.stringify(rooms));
}

/** @param {string} user @returns {any[]} items, each with its receiver as `to` */
export function loadSent(user) {
  const saved = readJson(localStorage, `hubbub.sent.${user}`);
  return Array.isArray(saved) ? saved : [];
}

/** @param {string} user @param {Iterable<Conversation>} conversations */
export function saveSent(user, conversations) {
  const sent = [...conversations]
    .filter(({ kind }) => kind === "direct")
    .flatMap(({ id, log }) => log.filter(({ from, seq }) => from === user && seq === undefined).map((item) => ({ ...item, to: id })))
    .sort((one, other) => one.at - other.at)
    .slice(-MAX_SENT);
  localStorage.setItem(`hubbub.sent.${user}`, JSON.stringify(sent));
}
