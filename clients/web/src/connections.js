/**
 * Which socket is used. One is current, or the next one is being opened. After a move, the sockets before it are retired: they stay open
 * until they have brought what they still owe.
 */

import { Dialer } from "./dialer.js";
import { asHubbubError, HubbubError } from "./errors.js";
import { SECOND } from "./settings.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Session } from "./session.js" */
/** @import { Frames } from "./wire.js" */

/** After a socket that lived this long, the pauses between tries start at their shortest again. */
const STABLE_AFTER = 10 * SECOND;

export class Connections {
  /** The connection in use. @type {Connection | null} */
  current = null;

  #session;
  #dialer;
  /** Connections before the current one. They are listened to until the move is complete. @type {Set<Connection>} */
  #old = new Set();
  #isDialing = false;
  /** Tries since the last stable socket. */
  #tries = 0;
  /** For the next try, or the next move. @type {unknown} */
  #dialTimer;

  /** @param {Session} session @param {api.Options} options */
  constructor(session, options) {
    this.#session = session;
    this.#dialer = new Dialer(session, options);
  }

  get user() {
    return this.#dialer.user;
  }

  /** All open connections, the current one first. */
  get all() {
    return this.current ? [this.current, ...this.#old] : [...this.#old];
  }

  /** A random pause, up to a bound that doubles with each try ("full jitter"). @param {number} tries */
  backoff(tries) {
    const { random, options } = this.#session;
    return random() * Math.min(options.backoffCap, options.backoffBase * 2 ** tries);
  }

  /** Tries at once, and not after the pause. */
  dialNow() {
    this.#tries = 0;
    this.dial();
  }

  /** Opens a socket: the first one, one after a cut, or one to move to. Never two at a time. */
  async dial() {
    const session = this.#session;
    if (this.#isDialing || session.ended) return;
    this.#isDialing = true;
    session.timers.cancel(this.#dialTimer);
    try {
      const { connection, lifetime } = await this.#dialer.open();
      this.#isDialing = false;
      if (session.ended) connection.abort(session.ended);
      else this.#use(connection, lifetime);
    } catch (error) {
      this.#isDialing = false;
      if (session.ended) return;
      if (error instanceof HubbubError && (error.code === "invalid_token" || error.code === "wrong_user")) return session.end(error);
      if (!this.current) session.setStatus("offline", asHubbubError(error));
      this.#dialIn(this.backoff(this.#tries++));
    }
  }

  /** @param {number} ms */
  #dialIn(ms) {
    this.#session.timers.cancel(this.#dialTimer);
    this.#dialTimer = this.#session.timers.after(ms, () => this.dial());
  }

  /** Makes this connection the current one. The one before it is kept until all channels are joined here. @param {Connection} connection @param {number} lifetime */
  #use(connection, lifetime) {
    if (this.current) this.#old.add(this.current);
    this.current = connection;
    if (!connection.isOpen) return this.lost(connection, "closed at once");
    this.#dialIn(lifetime);
    this.#session.connected();
  }

  /** A connection is gone. @param {Connection} connection @param {unknown} why */
  lost(connection, why) {
    const session = this.#session;
    if (this.#old.delete(connection) || connection !== this.current || session.ended) return;
    if (session.timers.now() - connection.openedAt >= STABLE_AFTER) this.#tries = 0;
    // If a move has failed halfway, the connection before it is still a member of everything.
    this.current = [...this.#old].find((old) => !old.isRetiring) ?? null;
    if (this.current) this.#old.delete(this.current);
    if (!this.#isDialing) this.#dialIn(this.backoff(this.#tries++));
    session.disconnected(why);
  }

  /** The server closes a connection. @param {Connection} connection @param {Frames["closing"]} frame */
  closedByServer(connection, { code, message, reconnect }) {
    const session = this.#session;
    if (!reconnect) return session.end(new HubbubError(code, message));
    if (code === "token_expired" && !session.options.getToken && connection === this.current) {
      return session.end(new HubbubError(code, "the token has expired: give `getToken` instead of `token`, so that a fresh one can be fetched"));
    }
    connection.abort(message);
  }

  /** The move is complete: closes the connections before the current one, as soon as they have nothing left to bring. */
  retireOld() {
    for (const old of [...this.#old]) {
      if (old.isRetiring) continue;
      old.isRetiring = true;
      this.#session.timers.after(this.#session.options.requestTimeout, () => old.abort("moved"));
      this.closeIfDone(old);
    }
  }

  /** @param {Connection} connection */
  closeIfDone(connection) {
    if (connection.isRetiring && !connection.isBusy) connection.abort("moved");
  }

  /** @param {HubbubError} why */
  end(why) {
    for (const connection of this.all) connection.abort(why);
    this.current = null;
    this.#old.clear();
  }
}
