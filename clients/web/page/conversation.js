/** A conversation as the page shows it: messages in order, with notices between them. */

/**
 * @typedef {object} Item
 * @property {"message" | "notice"} kind
 * @property {string} id
 * @property {number} at
 * @property {number} rank its place: the sequence in a room, the time in direct messages
 * @property {string} [from]
 * @property {any} [body]
 * @property {number} [seq]
 * @property {string} [epoch]
 * @property {"waiting" | "accepted" | "failed" | "sent" | "unknown"} [state] of the user's own messages
 * @property {any} [error] why it failed
 * @property {boolean} [isDeleted]
 * @property {string} [deletedBy]
 * @property {boolean} [isRecovered] it came late, because the client was away
 * @property {import("../sdk/hubbub.js").Receipt} [receipt]
 * @property {number} [sentAt] when it was sent, by `performance.now()`
 * @property {number} [roundTrip]
 * @property {"recovered" | "reset" | "event"} [notice]
 * @property {string} [text]
 * @property {number} [count]
 */

/** The most items that are kept. Older ones are fetched again on demand. */
const MOST_ITEMS = 5_000;
/** Items beyond that before they are trimmed, so that this isn't done for each message. */
const TRIM_STEP = 500;

let notices = 0;

export class Conversation {
  /** In order, without those that wait. @type {Item[]} */
  log = [];
  /** The user's own messages that have no place in the log yet. @type {Item[]} */
  waiting = [];
  unread = 0;
  /** The first unread message when the conversation was opened. @type {Item | null} */
  newFrom = null;
  draft = "";
  /** Whether the server may have older messages. */
  hasEarlier = true;
  isLoading = false;
  /** Where the current epoch begins in `log`. Items before it are of older epochs. */
  begin = 0;
  /** The notice that counts what is being recovered. @type {Item | null} */
  recovery = null;
  /** The people in the room. With presence events: all users. Otherwise: the first hundred, and the approximate number of connections.
   * @type {{users: string[], connections: number | null} | null} */
  people = null;
  /** The room is joined. */
  isEntered = false;
  /** Who is typing, each with the time until which that is believed. @type {Map<string, number>} */
  typists = new Map();
  /** When the last typing signal was sent; -Infinity if the others know of none. */
  typingSentAt = -Infinity;
  /** No typing signal is sent before this time. */
  typingRestsUntil = 0;
  /** Why the user is not in the room. @type {any} */
  gone = null;

  /** @param {"room" | "direct" | "everyone"} kind @param {string} id */
  constructor(kind, id) {
    this.kind = kind;
    this.id = id;
    this.key = kind === "everyone" ? "everyone" : `${kind}/${id}`;
  }

  get title() {
    return this.kind === "everyone" ? "Everyone" : this.id;
  }

  /** All items, in the order in which they are shown. */
  get items() {
    return this.waiting.length > 0 ? [...this.log, ...this.waiting] : this.log;
  }

  /** @param {string} id @returns {Item | undefined} */
  find(id) {
    return this.waiting.find((item) => item.id === id) ?? this.log.findLast((item) => item.id === id);
  }

  /** @param {number} seq @param {string} epoch */
  findSeq(seq, epoch) {
    return this.log.findLast((item) => item.seq === seq && item.epoch === epoch);
  }

  /** Puts a message in its place; false if it is there already. @param {Item} item */
  insert(item) {
    let place = this.log.length;
    while (place > this.begin && this.log[place - 1].rank > item.rank) place -= 1;
    for (let index = place - 1; index >= this.begin && this.log[index].rank === item.rank; index--) {
      const { kind, id, seq } = this.log[index];
      if (kind === "message" && (item.seq === undefined ? id === item.id : seq === item.seq)) return false;
    }
    this.log.splice(place, 0, item);
    return true;
  }

  /** Puts a page of history before what is there. @param {Item[]} page oldest first */
  insertEarlier(page) {
    const known = new Set(
      this.log
        .slice(this.begin)
        .filter(({ seq }) => seq !== undefined)
        .map(({ seq }) => seq),
    );
    const fresh = page.filter(({ seq }) => !known.has(seq));
    const first = this.log.slice(this.begin).find(({ kind }) => kind === "message");
    for (const { id } of fresh) this.#forgetUnknown(id);
    const before = fresh.filter((item) => !first || item.rank < first.rank);
    this.log.splice(this.begin, 0, ...before);
    for (const item of fresh) if (!before.includes(item)) this.insert(item);
    return fresh.length;
  }

  /** Accepted messages that have not come back go into the log as `unknown`: nothing will tell what became of them. */
  giveUpAccepted() {
    const given = this.waiting.filter(({ state }) => state === "accepted");
    this.waiting = this.waiting.filter((item) => !given.includes(item));
    for (const item of given) this.log.push(Object.assign(item, { state: "unknown", rank: this.log.at(-1)?.rank ?? 0 }));
  }

  /** Removes an `unknown` message that is in the log after all. @param {string} id */
  #forgetUnknown(id) {
    const place = this.log.findIndex((item) => item.state === "unknown" && item.id === id);
    if (place < 0) return;
    this.log.splice(place, 1);
    if (place < this.begin) this.begin -= 1;
  }

  /** @param {Item["notice"]} notice @param {string} text @param {Partial<Item>} [more] @returns {Item} */
  note(notice, text, more = {}) {
    notices += 1;
    /** @type {Item} */
    const item = { kind: "notice", id: `notice-${notices}`, at: Date.now(), rank: this.log.at(-1)?.rank ?? 0, notice, text, ...more };
    this.log.push(item);
    return item;
  }

  /** The log has a new epoch. */
  beginAnew() {
    this.begin = this.log.length;
    this.hasEarlier = true;
  }

  /** Drops the oldest items if there are too many. Returns whether it did. */
  trim() {
    if (this.log.length < MOST_ITEMS + TRIM_STEP) return false;
    const gone = this.log.length - MOST_ITEMS;
    this.log.splice(0, gone);
    this.begin = Math.max(0, this.begin - gone);
    if (this.begin === 0) this.hasEarlier = true;
    return true;
  }
}

/** @param {import("../sdk/hubbub.js").Message<any>} message @param {Conversation} conversation @returns {Item} */
export function itemOf(message, conversation) {
  const { id, at, from, seq, epoch, body } = message;
  const rank = conversation.kind === "direct" ? at : seq;
  return { kind: "message", id, at, rank, from, seq, epoch, body, ...(message.deleted && { isDeleted: true }) };
}
