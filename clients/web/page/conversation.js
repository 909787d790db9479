/** A conversation as one sees it: what was said, in order, with notices of what happened to it in between. */

/**
 * @typedef {object} Item
 * @property {"message" | "notice"} kind
 * @property {string} id
 * @property {number} at
 * @property {number} rank where it belongs: a sequence in a room, a time among direct messages
 * @property {string} [from]
 * @property {any} [body]
 * @property {number} [seq]
 * @property {string} [epoch]
 * @property {"waiting" | "accepted" | "failed" | "sent" | "unknown"} [state] of one's own messages
 * @property {any} [error] why it failed
 * @property {boolean} [isDeleted]
 * @property {string} [deletedBy]
 * @property {boolean} [isRecovered] it came late, because one was away
 * @property {import("../sdk/hubbub.js").Receipt} [receipt]
 * @property {number} [sentAt] when it was sent, by the clock that never jumps
 * @property {number} [roundTrip]
 * @property {"recovered" | "reset" | "event"} [notice]
 * @property {string} [text]
 * @property {number} [count]
 */

/** So many items are kept; older ones are fetched again when they are wanted. */
const MOST_ITEMS = 5_000;
/** Trimming in steps, so that it isn't done for each message. */
const TRIM_STEP = 500;

let notices = 0;

export class Conversation {
  /** In order, without those that wait. @type {Item[]} */
  log = [];
  /** One's own that have no place in the log yet. @type {Item[]} */
  waiting = [];
  unread = 0;
  /** The first that was not read when the conversation was opened. @type {Item | null} */
  newFrom = null;
  draft = "";
  /** Whether there may be more before the first. */
  hasEarlier = true;
  isLoading = false;
  /** Where the log of this epoch begins in `log`: what is before it is of an older one. */
  begin = 0;
  /** The notice of what is being recovered. @type {Item | null} */
  recovery = null;
  /** Who is here. Where the server tells by itself, all users; otherwise the first hundred, and about how many connections.
   * @type {{users: string[], connections: number | null} | null} */
  people = null;
  /** The room is joined, and so it is known whether the server tells by itself. */
  isEntered = false;
  /** Who is typing, and until when that is believed. @type {Map<string, number>} */
  typists = new Map();
  /** When it was told last that one is typing oneself. */
  toldTypingAt = -Infinity;
  /** Until then nothing is told of it. */
  typingRestsUntil = 0;
  /** Why one isn't in the room. @type {any} */
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

  /** Everything, in the order in which it is shown. */
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

  /** What was accepted and hasn't come back takes its place in the log: nobody will tell what became of it. */
  giveUpAccepted() {
    const given = this.waiting.filter(({ state }) => state === "accepted");
    this.waiting = this.waiting.filter((item) => !given.includes(item));
    for (const item of given) this.log.push(Object.assign(item, { state: "unknown", rank: this.log.at(-1)?.rank ?? 0 }));
  }

  /** What nobody knew of is there after all. @param {string} id */
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

  /** What comes from here on is of another life of the log. */
  beginAnew() {
    this.begin = this.log.length;
    this.hasEarlier = true;
  }

  /** Lets go of the oldest, when there are very many. */
  trim() {
    if (this.log.length < MOST_ITEMS + TRIM_STEP) return false;
    const gone = this.log.length - MOST_ITEMS;
    this.log.splice(0, gone);
    this.begin = Math.max(0, this.begin - gone);
    if (this.begin === 0) this.hasEarlier = true;
    return true;
  }
}
