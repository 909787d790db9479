/** Messages that wait to be accepted: in order, one at a time for each channel, each with the same id however often it is sent. */

import { HubbubError, notJoined } from "./errors.js";
import { defer } from "./events.js";
import { checkId, MINUTE } from "./settings.js";
import { frameText } from "./wire.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Session } from "./session.js" */
/** @import { Subscription } from "./subscription.js" */
/** @import { Entry, Request } from "./wire.js" */

/** The server knows a message's id for five minutes. After this, with a margin, a message that may be in the log is not sent again. */
const SAME_ID_FOR = 4.5 * MINUTE;
/** API Gateway cuts a socket that sends more. The message would do it again after each reconnect. */
const MAX_FRAME_BYTES = 32_768;
/** How often a room is joined again for one message that the server refuses with `not_a_member`. */
const MAX_REJOINS = 3;

/** @typedef {Request<"publish"> | Request<"direct">} Frame */

/** @typedef {{id: string, frame: Frame, text: string, receipt: boolean, doubtSince: number | undefined, isSeen: boolean,
 *   promise: Promise<api.Accepted>, resolve: (accepted: api.Accepted) => void, reject: (error: unknown) => void}} Outgoing */

/** The messages that wait for one channel. The first one is being sent. */
class ChannelQueue {
  /** @type {Outgoing[]} */
  items = [];
  isSending = false;

  /** @param {string} name @param {Subscription | null} subscription of a room, which must be joined first */
  constructor(name, subscription) {
    this.name = name;
    this.subscription = subscription;
  }
}

export class Outbox {
  #session;
  #size = 0;
  /** @type {Map<string, ChannelQueue>} */
  #queues = new Map();

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
  }

  /**
   * Puts a message into the outbox. The promise resolves when the message is durable.
   * @param {string} name @param {Frame} fields @param {unknown} body @param {api.PublishOptions} options
   * @returns {Promise<api.Accepted>}
   */
  async publish(name, fields, body, { id = freshId(), receipt = false }) {
    const subscription = name.startsWith("room:") ? this.#session.subscriptions.of(name) : null;
    if (this.#session.ended) throw this.#session.ended;
    if (subscription && !subscription.isFollowed) throw subscription.whyLeft ?? notJoined(name);
    checkId("message", id);
    const text = bodyText(body);
    const frame = { ...fields, id, ...(receipt && { receipt }) };
    checkSize(frameText({ ...frame, ref: "0".repeat(16) }, text), id);
    if (this.#size >= this.#session.options.maxOutbox) {
      const message = `${this.#size} messages wait to be accepted: publish \`${id}\` again when there are fewer`;
      throw new HubbubError("outbox_full", message, { id });
    }
    const queue = this.#queues.get(name) ?? new ChannelQueue(name, subscription);
    this.#queues.set(name, queue);
    /** @type {Outgoing} */
    const item = { id, frame, text, receipt, doubtSince: undefined, isSeen: false, ...defer() };
    queue.items.push(item);
    this.#size += 1;
    this.#sendAll(queue);
    return item.promise;
  }

  /** Sends a queue's messages, each when the one before it is accepted, so that they keep their order. @param {ChannelQueue} queue */
  async #sendAll(queue) {
    if (queue.isSending) return;
    queue.isSending = true;
    for (let item; (item = queue.items[0]); ) {
      try {
        item.resolve(await this.#send(queue, item));
      } catch (error) {
        item.reject(error);
      }
      queue.items.shift();
      this.#size -= 1;
    }
    this.#queues.delete(queue.name);
  }

  /** Sends a message until its outcome is known, always with the same id. @param {ChannelQueue} queue @param {Outgoing} item */
  async #send(queue, item) {
    for (let failures = 0, rejoins = 0; ; ) {
      const connection = await this.#session.requests.ready(queue.subscription);
      if (item.isSeen) return { id: item.id, channel: queue.name };
      if (item.doubtSince !== undefined && this.#session.timers.now() - item.doubtSince > SAME_ID_FOR) throw inDoubt(item.id);
      const sentAt = this.#session.timers.now();
      try {
        if (item.receipt) connection.awaitedReceipts.add(item.id);
        const { id, channel } = await connection.ask(item.frame, item.text);
        return { id, channel };
      } catch (error) {
        const { code } = /** @type {HubbubError} */ (error);
        connection.awaitedReceipts.delete(item.id);
        if (code === "timeout" || code === "connection_lost") item.doubtSince ??= sentAt;
        let pause = this.#session.requests.retryPause(/** @type {HubbubError} */ (error), connection, failures++);
        if (code === "not_a_member" && queue.subscription?.isFollowed && rejoins++ < MAX_REJOINS) {
          this.#session.subscriptions.joinAgain(queue.subscription, connection);
          pause = 0;
        }
        if (pause === undefined) throw error;
        await this.#session.timers.sleep(pause);
      }
    }
  }

  /** An entry has come. If it is the message that is being sent, the message is in the log. @param {string} channel @param {Entry} entry */
  noteEntry(channel, entry) {
    const item = this.#queues.get(channel)?.items[0];
    if (item?.id === entry.id && entry.from === this.#session.user) item.isSeen = true;
  }

  /** @param {HubbubError} error */
  reject(error) {
    for (const queue of this.#queues.values()) for (const item of queue.items) item.reject(error);
  }
}

/** 128 random bits. Pages without TLS have no `crypto.randomUUID`. */
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
  const message = `\`${id}\` was sent, but its answer was lost, and the server may have forgotten the id since: it may be in the log, or not`;
  return new HubbubError("in_doubt", message, { id });
}
