/** The rules by which news of who comes and goes become a list of who is there. There are no sockets here and no clock. */

/** @import * as api from "../sdk/hubbub.js" */

/** @typedef {{at: number, count: number, users?: string[], paused?: boolean}} News */

/** Who is in a room. A join says who is there, and so do all news: what was lost, the next ones make good. */
export class Roster {
  /** As last known; null before the first answer. @type {api.Presence | null} */
  known = null;
  /** A join must ask who is there; until then news are of no use. */
  isStale = true;

  /** The newest that was taken. They come from two sockets during a move. */
  #newest = -Infinity;
  /** What comes while the answer is on its way may be newer than the answer, and waits for it. @type {News[] | null} */
  #early = null;

  /** A join that asks is about to be sent. */
  asked() {
    this.#early = [];
  }

  /** The join was answered; gives what is different now. @param {Partial<api.Presence>} [answer] nothing from a server that has no presence */
  answered(answer) {
    const early = this.#early ?? [];
    const before = this.known;
    this.#early = null;
    this.isStale = false;
    const { count = 0, users = [], paused = false } = answer ?? {};
    this.known = answer ? { count, users: [...users].sort(), paused } : null;
    for (const news of early) this.take(news);
    return difference(before, this.known);
  }

  /** There will be no answer. */
  unanswered() {
    this.#early = null;
    this.isStale = true;
  }

  /** News have come; gives what is different now. @param {News} news */
  take(news) {
    const { at, count, users = [], paused = false } = news;
    const before = this.known;
    if (this.#early) this.#early.push(news);
    if (this.#early || this.isStale || !before || at <= this.#newest) return null;
    this.#newest = at;
    this.known = { count, users: [...users].sort(), paused };
    return difference(before, this.known);
  }
}

/** @param {api.Presence | null} before @param {api.Presence | null} now */
function difference(before, now) {
  if (!now) return null;
  // Who was there while nobody told has neither come nor gone.
  const isComparable = before !== null && !before.paused && !now.paused;
  const without = (/** @type {string[]} */ users, /** @type {string[]} */ others) => {
    const known = new Set(others);
    return isComparable ? users.filter((user) => !known.has(user)) : [];
  };
  const change = { joined: without(now.users, before?.users ?? []), left: without(before?.users ?? [], now.users) };
  const isSame = before?.count === now.count && before.paused === now.paused;
  return isSame && change.joined.length === 0 && change.left.length === 0 ? null : { ...copy(now), ...change };
}

/** @param {api.Presence} presence @returns {api.Presence} */
export const copy = ({ count, users, paused }) => ({ count, users: [...users], paused });
