/** The rules by which presence frames become a list of users. No sockets and no clock here. */

/** @import * as api from "../sdk/hubbub.js" */

/** @typedef {{at: number, count: number, users?: string[], paused?: boolean}} Update */

/** The users in a room. Each update is a whole list, so a lost one is made good by the next. */
export class PresenceTracker {
  /** The list as last known; null before the first answer. @type {api.Presence | null} */
  known = null;
  /** The next join must ask for the list. Until then, updates are of no use. */
  isStale = true;

  /** The time of the newest update. During a move, two sockets bring them. */
  #newest = -Infinity;
  /** Updates that came before the answer to the join: they may be newer than it, and wait. @type {Update[] | null} */
  #early = null;

  /** A join that asks for the list is about to be sent. */
  joinSent() {
    this.#early = [];
  }

  /** The join was answered. Returns the change. @param {Partial<api.Presence>} [answer] undefined from a server without presence */
  joinAnswered(answer) {
    const early = this.#early ?? [];
    const before = this.known;
    this.#early = null;
    this.isStale = false;
    const { count = 0, users = [], paused = false } = answer ?? {};
    this.known = answer ? { count, users: [...users].sort(), paused } : null;
    for (const update of early) this.update(update);
    return difference(before, this.known);
  }

  joinFailed() {
    this.#early = null;
    this.isStale = true;
  }

  /** Takes an update. Returns the change, null if there is none. @param {Update} update */
  update(update) {
    const { at, count, users = [], paused = false } = update;
    const before = this.known;
    if (this.#early) this.#early.push(update);
    if (this.#early || this.isStale || !before || at <= this.#newest) return null;
    this.#newest = at;
    this.known = { count, users: [...users].sort(), paused };
    return difference(before, this.known);
  }
}

/** @param {api.Presence | null} before @param {api.Presence | null} now */
function difference(before, now) {
  if (!now) return null;
  // While the list is paused, nobody is known to have come or gone.
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
