/** What the application asks the server: reads, moderation commands, signals; and when an error is worth another try. */

import { HubbubError, notJoined } from "./errors.js";
import { bodyText, checkSize } from "./outbox.js";
import { frameText } from "./wire.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Session } from "./session.js" */
/** @import { Subscription } from "./subscription.js" */
/** @import { Answers, Command, Request } from "./wire.js" */

export class Requests {
  #session;

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
  }

  /**
   * Waits for a connection, and for a room's join if there is one.
   * @param {Subscription | null} subscription @param {number} [deadline] @returns {Promise<Connection>}
   */
  async ready(subscription, deadline = Infinity) {
    const session = this.#session;
    const { timers } = session;
    const timer = deadline === Infinity ? undefined : timers.after(deadline - timers.now(), () => session.changed());
    try {
      for (;;) {
        if (session.ended) throw session.ended;
        if (subscription && !subscription.isFollowed) throw subscription.whyLeft ?? notJoined(subscription.name);
        const connection = session.connections.current;
        if (connection && (!subscription || connection.members.has(subscription.name))) return connection;
        if (timers.now() >= deadline) throw new HubbubError("offline", "there was no connection in time: try again when the client is live");
        await session.change;
      }
    } finally {
      timers.cancel(timer);
    }
  }

  /**
   * The pause before the same request may be tried again; undefined if another try is of no use. `retryMs` counts only with `too_fast`: with
   * `banned` it can be hours.
   * @param {HubbubError} error @param {Connection} connection @param {number} failures @returns {number | undefined}
   */
  retryPause({ code, retryMs }, connection, failures) {
    const { connections } = this.#session;
    if (code === "not_connected") connection.abort("the server doesn't know this connection any more");
    // If the connection is still open, the answer made no sense, and the next one may not either.
    if (code === "connection_lost" || code === "not_connected") return connection.isOpen ? connections.backoff(failures) : 0;
    if (code === "too_fast") return retryMs ?? connections.backoff(failures);
    return code === "unavailable" || code === "timeout" ? connections.backoff(failures) : undefined;
  }

  /**
   * Sends a request until it is answered or the time for an answer is over. Only a read is repeated after a cut: a command may have been
   * carried out.
   * @template {Request<keyof Answers>} Asked
   * @param {Subscription | null} subscription @param {() => Asked} fields @param {{isRead: boolean}} kind
   * @returns {Promise<Answers[Asked["action"]]>}
   */
  async send(subscription, fields, { isRead }) {
    const { timers, options } = this.#session;
    const deadline = timers.now() + options.requestTimeout;
    for (let failures = 0; ; failures += 1) {
      const connection = await this.ready(subscription, deadline);
      try {
        return await connection.ask(fields());
      } catch (error) {
        const { code } = /** @type {HubbubError} */ (error);
        const pause = this.retryPause(/** @type {HubbubError} */ (error), connection, failures);
        const mayRepeat = isRead || code === "too_fast" || code === "unavailable" || code === "not_connected";
        if (pause === undefined || !mayRepeat || timers.now() + pause >= deadline) throw error;
        await timers.sleep(pause);
      }
    }
  }

  /** Sends a moderation command. @param {Request<Command>} fields @returns {Promise<api.CommandAccepted>} */
  async moderate(fields) {
    const { channel, command, user } = await this.send(null, () => fields, { isRead: false });
    return { channel, command, ...(user !== undefined && { user }) };
  }

  /**
   * Sends a signal at once, or drops it.
   * @param {string} channel @param {Subscription | null} subscription @param {{room: string} | {to: string}} to @param {unknown} body
   * @returns {Promise<api.Signalled>}
   */
  async signal(channel, subscription, to, body) {
    const session = this.#session;
    if (session.ended) throw session.ended;
    if (subscription && !subscription.isFollowed) throw subscription.whyLeft ?? notJoined(subscription.name);
    const text = bodyText(body);
    /** @type {Request<"signal">} */
    const fields = { action: "signal", ...to };
    checkSize(frameText({ ...fields, ref: "0".repeat(16) }, text));
    const dropped = { channel, delivered: 0 };
    const connection = session.connections.all.find(({ members }) => !subscription || members.has(subscription.name));
    if (!connection) return dropped;
    try {
      const { delivered } = await connection.ask(fields, text);
      return { channel, delivered };
    } catch (error) {
      const { code } = /** @type {HubbubError} */ (error);
      this.retryPause(/** @type {HubbubError} */ (error), connection, 0);
      if (code === "not_a_member" && subscription?.isFollowed) session.subscriptions.joinAgain(subscription, connection);
      else if (code !== "connection_lost" && code !== "timeout" && code !== "not_connected") throw error;
      return dropped;
    }
  }
}
