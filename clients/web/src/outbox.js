/** Messages that wait to be accepted: in their order, one at a time for each channel, each with one id however often it is sent. */

import { HubbubError, notJoined } from "./errors.js";
import { defer } from "./events.js";
import { checkId, MINUTE } from "./settings.js";
import { frameText } from "./wire.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Feed, Session } from "./session.js" */
/** @import { Entry } from "./log.js" */

/** The server knows a message's id for five minutes. What may be in the log already is not sent again after this, with room to spare. */
const SAME_ID_FOR = 4.5 * MINUTE;
/** API Gateway cuts a socket that sends more; a message that did so would do it again after each reconnect. */
const MAX_FRAME_BYTES = 32_768;
/** How often a join is tried again for a message that the server says is from no member. */
const MAX_REJOINS = 3;

/** @typedef {{id: string, frame: Record<string, unknown>, text: string, receipt: boolean, doubtSince: number | undefined, isSeen: boolean,
 *   promise: Promise<api.Accepted>, resolve: (accepted: api.Accepted) => void, reject: (error: unknown) => void}} Outgoing */

/** The messages to one channel that wait to be accepted; one at a time is on its way. */
class Lane {
  /** @type {Outgoing[]} */
  items = [];
  isMoving = false;

  /** @param {string} name @param {Feed | null} feed the room's, which must be joined first */
  constructor(name, feed) {
    this.name = name;
    this.feed = feed;
  }
}

/** All that a client publishes. */
export class Outbox {
  #session;
  #size = 0;
  /** @type {Map<string, Lane>} */
  #lanes = new Map();

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
  }

  /**
   * Puts a message into the outbox; the promise is kept when it is durable.
   * @param {string} name @param {Record<string, unknown>} fields @param {unknown} body @param {api.PublishOptions} options
   * @returns {Promise<api.Accepted>}
   */
  async publish(name, fields, body, { id = freshId(), receipt = false }) {
    const feed = name.startsWith("room:") ? this.#session.feed(name) : null;
    if (this.#session.ended) throw this.#session.ended;
    if (feed && !feed.isFollowed) throw feed.gone ?? notJoined(name);
    checkId("message", id);
    const text = bodyText(body);
    const frame = { ...fields, id, ...(receipt && { receipt }) };
    checkSize(frameText({ ...frame, ref: "0".repeat(16) }, text), id);
    if (this.#size >= this.#session.options.maxOutbox) {
      const message = `${this.#size} messages wait to be accepted: publish \`${id}\` again when there are less`;
      throw new HubbubError("outbox_full", message, { id });
    }
    const lane = this.#lanes.get(name) ?? new Lane(name, feed);
    this.#lanes.set(name, lane);
    /** @type {Outgoing} */
    const item = { id, frame, text, receipt, doubtSince: undefined, isSeen: false, ...defer() };
    lane.items.push(item);
    this.#size += 1;
    this.#move(lane);
    return item.promise;
  }

  /** Sends a lane's messages one after the other, each when the one before is accepted, so that they keep their order. */
  async #move(/** @type {Lane} */ lane) {
    if (lane.isMoving) return;
    lane.isMoving = true;
    for (let item; (item = lane.items[0]); ) {
      try {
        item.resolve(await this.#send(lane, item));
      } catch (error) {
        item.reject(error);
      }
      lane.items.shift();
      this.#size -= 1;
    }
    this.#lanes.delete(lane.name);
  }

  /** Sends a message until it is known what became of it, always with the same id. @param {Lane} lane @param {Outgoing} item */
  async #send(lane, item) {
    for (let failures = 0, rejoins = 0; ; ) {
      const wire = await this.#session.ready(lane.feed);
      if (item.isSeen) return { id: item.id, channel: lane.name };
      if (item.doubtSince !== undefined && this.#session.time.now() - item.doubtSince > SAME_ID_FOR) throw inDoubt(item.id);
      const sentAt = this.#session.time.now();
      try {
        if (item.receipt) wire.owed.add(item.id);
        const { id, channel } = await wire.ask(item.frame, item.text);
        return { id, channel };
      } catch (error) {
        const { code } = /** @type {HubbubError} */ (error);
        wire.owed.delete(item.id);
        if (code === "timeout" || code === "connection_lost") item.doubtSince ??= sentAt;
        let pause = this.#session.retryPause(/** @type {HubbubError} */ (error), wire, failures++);
        if (code === "not_a_member" && lane.feed?.isFollowed && rejoins++ < MAX_REJOINS) {
          this.#session.joinAgain(lane.feed, wire);
          pause = 0;
        }
        if (pause === undefined) throw error;
        await this.#session.time.sleep(pause);
      }
    }
  }

  /** An entry has come: if it is the message on its way, there is no doubt about it any more. @param {string} channel @param {Entry} entry */
  see(channel, entry) {
    const item = this.#lanes.get(channel)?.items[0];
    if (item?.id === entry.id && entry.from === this.#session.user) item.isSeen = true;
  }

  /** @param {HubbubError} error */
  reject(error) {
    for (const lane of this.#lanes.values()) for (const item of lane.items) item.reject(error);
  }
}

/** 128 random bits. `crypto.randomUUID` isn't there on pages without TLS. */
function freshId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {unknown} body */
export function bodyText(body) {
  let why = "it is not a JSON value";
  try {
    const text = JSON.stringify(body);
    if (text !== undefined) return text;
  } catch (error) {
    why = /** @type {Error} */ (error).message;
  }
  throw new HubbubError("not_json", `the body can't be written as JSON: ${why}`);
}

/** @param {string} text @param {string} [id] */
export function checkSize(text, id) {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= MAX_FRAME_BYTES) return;
  throw new HubbubError("body_too_large", `the frame has ${bytes} bytes, and may have ${MAX_FRAME_BYTES}: send less, or a link to it`, { id });
}

/** @param {string} id */
function inDoubt(id) {
  const message = `it is not known if \`${id}\` was accepted: its answer was lost, and the server may have forgotten the id meanwhile`;
  return new HubbubError("in_doubt", message, { id });
}
