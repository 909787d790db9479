/** The rules by which frames become messages. No sockets and no clock here. */

/** @import * as api from "../sdk/hubbub.js" */

/** @import { Entry, Frames } from "./wire.js" */

/** After this many joins in a row that brought nothing new, the missing entries are given up and the channel starts again from the head. */
const MAX_IDLE_JOINS = 5;

/** @param {string} epoch @param {number} seq */
const key = (epoch, seq) => `${seq} ${epoch}`;

/**
 * What is known of one channel's log. Frames come at least once and may overtake each other, so a frame is only a hint of what the log holds.
 * Each entry is taken out once, and always the one that follows the last. An entry that comes too early is held back until a `join` has
 * fetched the entries before it. Joins must not overlap.
 */
export class Log {
  /** The position of the last entry that was taken out, or of the head at the join. @type {api.Position | null} */
  position = null;
  /** The head of the log when the last join was answered. @type {api.Position | null} */
  head = null;
  /** How many joins in a row have brought nothing new. */
  idleJoins = 0;

  /** A join was answered, and no other is being sent. */
  #isOpen = false;
  /** The `since` of the join that is being sent. @type {number | undefined} */
  #since;
  /** The number of joins so far. */
  #generation = 0;
  /** @type {Map<string, {epoch: string, entry: Entry, generation: number}>} */
  #held = new Map();
  /** The newest entry that was dropped because too many are held. @type {{epoch: string, seq: number, generation: number} | null} */
  #dropped = null;
  #maxHeld;

  /** @param {number} maxHeld @param {api.Position | null} [position] */
  constructor(maxHeld, position = null) {
    this.#maxHeld = maxHeld;
    this.position = position;
  }

  /** Whether something is missing that only a join can bring. */
  get needsJoin() {
    const { position, head } = this;
    if (!this.#isOpen || !position) return true;
    const reach = this.#reach();
    const misses = (/** @type {api.Position | null} */ known) =>
      known !== null && (known.epoch !== position.epoch || known.seq > reach);
    return this.#held.size > reach - position.seq || misses(head) || misses(this.#dropped);
  }

  /**
   * A join is about to be sent. Returns the `since` and `epoch` that it asks for. Until its answer, every entry is held back.
   * @param {api.Since} [start] the known position without it
   * @returns {api.Since}
   */
  join(start) {
    this.#generation += 1;
    this.#isOpen = false;
    if (start?.since !== undefined) {
      // Entries after an explicit `since` are handed out again, even if they have been before.
      this.position = start.epoch === undefined ? null : { epoch: start.epoch, seq: start.since };
    }
    const asked = start ?? (this.position ? { since: this.position.seq, epoch: this.position.epoch } : {});
    this.#since = asked.since;
    return asked;
  }

  /**
   * Takes the answer to a join. Returns true if the server couldn't give what was asked for: the channel goes on from the head.
   * @param {Omit<Frames["joined"], "type">} answer
   */
  joined(answer) {
    const before = this.position;
    const since = this.#since;
    this.#isOpen = true;
    this.head = { epoch: answer.epoch, seq: answer.head };
    // An entry of another epoch is of an older one if it came before this join was sent, and perhaps of a newer one if it came after.
    const isStale = (/** @type {{epoch: string, generation: number}} */ it) =>
      it.epoch !== answer.epoch && it.generation !== this.#generation;
    this.#forget(isStale);
    if (this.#dropped && isStale(this.#dropped)) this.#dropped = null;

    let isReset = false;
    if (since !== undefined && answer.recovered === true && (this.position ?? answer).epoch === answer.epoch) {
      this.position ??= { epoch: answer.epoch, seq: since };
      for (const entry of answer.messages ?? []) this.#hold(answer.epoch, entry, Infinity);
    } else {
      this.#startAnew(answer);
      isReset = since !== undefined;
    }
    const position = /** @type {api.Position} */ (this.position);
    this.#forget(({ epoch, entry }) => this.#isOld(epoch, entry.seq));
    const brought = before?.epoch !== position.epoch || this.#reach() !== before.seq;
    this.idleJoins = brought || !this.needsJoin ? 0 : this.idleJoins + 1;
    if (this.idleJoins >= MAX_IDLE_JOINS) {
      this.#dropped = null;
      this.idleJoins = 0;
      this.#startAnew(answer);
      this.#forget(({ epoch, entry }) => this.#isOld(epoch, entry.seq));
      isReset = true;
    }
    return isReset;
  }

  /** Takes entries that came without a join. @param {string} epoch @param {Entry[]} entries */
  receive(epoch, entries) {
    for (const entry of entries) this.#hold(epoch, entry, this.#maxHeld);
  }

  /** Takes out the next entry, if it is here. @returns {{epoch: string, entry: Entry} | undefined} */
  next() {
    if (!this.#isOpen || !this.position) return undefined;
    const { epoch, seq } = this.position;
    const held = this.#held.get(key(epoch, seq + 1));
    if (held) {
      this.#held.delete(key(epoch, seq + 1));
      this.position = { epoch, seq: seq + 1 };
    }
    return held;
  }

  /** @param {string} epoch @param {number} seq */
  #isOld(epoch, seq) {
    return this.position?.epoch === epoch && seq <= this.position.seq;
  }

  /** @param {string} epoch @param {Entry} entry @param {number} most */
  #hold(epoch, entry, most) {
    const name = key(epoch, entry.seq);
    if (this.#isOld(epoch, entry.seq) || this.#held.has(name)) return;
    const generation = this.#generation;
    const isNext = this.position?.epoch === epoch && entry.seq === this.position.seq + 1;
    if (isNext || this.#held.size < most) {
      this.#held.set(name, { epoch, entry, generation });
    } else if (this.#dropped?.epoch !== epoch || this.#dropped.seq < entry.seq) {
      this.#dropped = { epoch, seq: entry.seq, generation };
    }
  }

  /** The sequence up to which entries can be taken out. */
  #reach() {
    let { epoch, seq } = /** @type {api.Position} */ (this.position);
    while (this.#held.has(key(epoch, seq + 1))) seq += 1;
    return seq;
  }

  /** Goes on from the head of the log, or from before it where the entries up to it are held. @param {Omit<Frames["joined"], "type">} answer */
  #startAnew({ epoch, head }) {
    let seq = head;
    while (this.#held.has(key(epoch, seq))) seq -= 1;
    if (this.position?.epoch === epoch && this.position.seq <= head) seq = Math.max(seq, this.position.seq);
    this.position = { epoch, seq };
  }

  /** @param {(held: {epoch: string, entry: Entry, generation: number}) => boolean} isDone */
  #forget(isDone) {
    for (const [name, held] of this.#held) if (isDone(held)) this.#held.delete(name);
  }
}

/** Whether an entry is a message, or what is left of a deleted one. @param {Entry} entry */
export function isMessage(entry) {
  return "body" in entry || entry.deleted === entry.seq;
}

/** @param {string} channel @param {string} epoch @param {Entry} entry @returns {api.Message<any>} */
export function toMessage(channel, epoch, entry) {
  const { seq, id, from, at } = entry;
  const message = { channel, epoch, seq, id, from, at };
  return "body" in entry ? { ...message, body: entry.body } : { ...message, deleted: true };
}
