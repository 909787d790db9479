/** The sockets: one is in use, or the next one is on its way, and those before it are let go when they are not needed any more. */

import { Dialer } from "./dialer.js";
import { asHubbubError, HubbubError } from "./errors.js";
import { SECOND } from "./settings.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Session } from "./session.js" */
/** @import { Wire } from "./wire.js" */

/** A socket that lived so long was a good one: the pauses begin at their shortest again. */
const STABLE_AFTER = 10 * SECOND;

/** The way to the server. */
export class Link {
  /** The socket that is used. @type {Wire | null} */
  wire = null;

  #session;
  #dialer;
  /** Those that were moved away from, and are listened to until the move is complete. @type {Set<Wire>} */
  #old = new Set();
  #isDialing = false;
  /** Tries since the last good socket. */
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

  /** Each open socket. */
  get wires() {
    return this.wire ? [this.wire, ...this.#old] : [...this.#old];
  }

  /** Full jitter. @param {number} tries */
  backoff(tries) {
    const { random, options } = this.#session;
    return random() * Math.min(options.backoffCap, options.backoffBase * 2 ** tries);
  }

  /** What waits for a better moment is tried now. */
  hurry() {
    this.#tries = 0;
    this.dial();
  }

  /** Opens a socket: the first one, one after a cut, or the one to move to. One is opened at a time. */
  async dial() {
    const session = this.#session;
    if (this.#isDialing || session.ended) return;
    this.#isDialing = true;
    session.time.cancel(this.#dialTimer);
    try {
      const { wire, lifetime } = await this.#dialer.open();
      this.#isDialing = false;
      if (session.ended) wire.kill(session.ended);
      else this.#adopt(wire, lifetime);
    } catch (error) {
      this.#isDialing = false;
      if (session.ended) return;
      if (error instanceof HubbubError && (error.code === "invalid_token" || error.code === "wrong_user")) return session.end(error);
      if (!this.wire) session.setStatus("offline", asHubbubError(error));
      this.#dialIn(this.backoff(this.#tries++));
    }
  }

  /** @param {number} ms */
  #dialIn(ms) {
    this.#session.time.cancel(this.#dialTimer);
    this.#dialTimer = this.#session.time.after(ms, () => this.dial());
  }

  /** Uses this socket from here on. The one before is kept until all channels are joined here. @param {Wire} wire @param {number} lifetime */
  #adopt(wire, lifetime) {
    if (this.wire) this.#old.add(this.wire);
    this.wire = wire;
    if (!wire.isOpen) return this.lost(wire, "closed at once");
    this.#dialIn(lifetime);
    this.#session.arrived();
  }

  /** A socket is gone. @param {Wire} wire @param {unknown} why */
  lost(wire, why) {
    const session = this.#session;
    if (this.#old.delete(wire) || wire !== this.wire || session.ended) return;
    if (session.time.now() - wire.openedAt >= STABLE_AFTER) this.#tries = 0;
    // A move that failed halfway: the old socket is still a member of everything.
    this.wire = [...this.#old].find((old) => !old.isLeaving) ?? null;
    if (this.wire) this.#old.delete(this.wire);
    if (!this.#isDialing) this.#dialIn(this.backoff(this.#tries++));
    session.departed(why);
  }

  /** The server closes a socket. @param {Wire} wire @param {{code: string, message: string, reconnect: boolean}} frame */
  closing(wire, { code, message, reconnect }) {
    const session = this.#session;
    if (!reconnect) return session.end(new HubbubError(code, message));
    if (code === "token_expired" && !session.options.getToken && wire === this.wire) {
      return session.end(new HubbubError(code, "the token has expired: give `getToken` instead of `token`, so that a fresh one can be fetched"));
    }
    wire.kill(message);
  }

  /** The move is complete: the sockets before this one are closed, as soon as nothing is expected of them. */
  letGo() {
    for (const old of [...this.#old]) {
      if (old.isLeaving) continue;
      old.isLeaving = true;
      this.#session.time.after(this.#session.options.requestTimeout, () => old.kill("moved"));
      this.dismissIfDone(old);
    }
  }

  /** @param {Wire} wire */
  dismissIfDone(wire) {
    if (wire.isLeaving && !wire.isBusy) wire.kill("moved");
  }

  /** @param {HubbubError} why */
  end(why) {
    for (const wire of this.wires) wire.kill(why);
    this.wire = null;
    this.#old.clear();
  }
}
