/**
 * The rules by which frames become messages. There are no sockets here and no clock.
 */

/** @import * as api from "../sdk/hubbub.js" */

/** After so many joins in a row that brought nothing new, the log is taken at its word and the channel starts anew. */
const PATIENCE = 5;

/** An entry of a log, as on the wire: it has one of `body`, `deleted` and `closed`, or something that this version doesn't know.
 * @typedef {{seq: number, id: string, from: string, at: number, body?: unknown, deleted?: number, closed?: "kept" | "erased"}} Entry */
/** @typedef {{channel: string, epoch: string, head: number, recovered?: boolean, messages?: Entry[], more?: boolean}} JoinedFrame */

/** @param {string} epoch @param {number} seq */
const key = (epoch, seq) => `${seq} ${epoch}`;

/**
 * What is remembered of one channel. Deliveries are at least once and may overtake each other, so a frame is only a hint of what the log
 * holds: each entry is taken out once, the next one always being the one that follows the last, and what came too early is held back
 * until a `join` has fetched what lies between. Joins must not overlap.
 */
export class Log {
  /** The last entry that was taken out, or where the log stood at the join. @type {api.Position | null} */
  position = null;
  /** Where the log stood when the last join was answered. @type {api.Position | null} */
  head = null;
  /** How many joins in a row have brought nothing new. */
  idleJoins = 0;

  /** A join was answered, and no other is under way. */
  #isOpen = false;
  /** The `since` of the join under way. @type {number | undefined} */
  #since;
  /** How many joins were asked for. */
  #generation = 0;
  /** @type {Map<string, {epoch: string, entry: Entry, generation: number}>} */
  #held = new Map();
  /** The newest entry that found no room. @type {{epoch: string, seq: number, generation: number} | null} */
  #dropped = null;
  #maxHeld;

  /** @param {number} maxHeld @param {api.Position | null} [position] */
  constructor(maxHeld, position = null) {
    this.#maxHeld = maxHeld;
    this.position = position;
  }

  /** No join has been answered, or something is missing that only a join can bring. */
  get needsJoin() {
    const { position, head } = this;
    if (!this.#isOpen || !position) return true;
    const reach = this.#reach();
    const misses = (/** @type {api.Position | null} */ known) =>
      known !== null && (known.epoch !== position.epoch || known.seq > reach);
    return this.#held.size > reach - position.seq || misses(head) || misses(this.#dropped);
  }

  /**
   * A join is about to be sent; gives what it must ask for. Until its answer everything is held back.
   * @param {api.Since} [start] goes on from the position if it isn't given
   * @returns {api.Since}
   */
  join(start) {
    this.#generation += 1;
    this.#isOpen = false;
    if (start?.since !== undefined) {
      // What is asked for by name is handed out again, even if it had been before.
      this.position = start.epoch === undefined ? null : { epoch: start.epoch, seq: start.since };
    }
    const asked = start ?? (this.position ? { since: this.position.seq, epoch: this.position.epoch } : {});
    this.#since = asked.since;
    return asked;
  }

  /**
   * The answer to a join. True if what was asked for can't be given: the log goes on from elsewhere.
   * @param {JoinedFrame} answer
   */
  joined(answer) {
    const before = this.position;
    const since = this.#since;
    this.#isOpen = true;
    this.head = { epoch: answer.epoch, seq: answer.head };
    // What came before the question and isn't of this epoch is of an older one. What came after it may be of a newer one.
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
    if (this.idleJoins >= PATIENCE) {
      this.#dropped = null;
      this.idleJoins = 0;
      this.#startAnew(answer);
      this.#forget(({ epoch, entry }) => this.#isOld(epoch, entry.seq));
      isReset = true;
    }
    return isReset;
  }

  /** Entries have come by themselves. @param {string} epoch @param {Entry[]} entries */
  receive(epoch, entries) {
    for (const entry of entries) this.#hold(epoch, entry, this.#maxHeld);
  }

  /** The entry whose turn it is, if it is here. @returns {{epoch: string, entry: Entry} | undefined} */
  take() {
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

  /** @param {string} epoch @param {Entry} entry @param {number} room */
  #hold(epoch, entry, room) {
    const name = key(epoch, entry.seq);
    if (this.#isOld(epoch, entry.seq) || this.#held.has(name)) return;
    const generation = this.#generation;
    const isNext = this.position?.epoch === epoch && entry.seq === this.position.seq + 1;
    if (isNext || this.#held.size < room) {
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

  /** Goes on from the head of the log, or from before it if the entries up to it have come by themselves. @param {JoinedFrame} answer */
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

/** A message, or what is left of one. @param {Entry} entry */
export function isMessage(entry) {
  return "body" in entry || entry.deleted === entry.seq;
}

/** @param {string} channel @param {string} epoch @param {Entry} entry @returns {api.Message<any>} */
export function toMessage(channel, epoch, entry) {
  const { seq, id, from, at } = entry;
  const message = { channel, epoch, seq, id, from, at };
  return "body" in entry ? { ...message, body: entry.body } : { ...message, deleted: true };
}
