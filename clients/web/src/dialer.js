/** Opening sockets: tokens, handshakes, and how long a socket is good for. */

import { HubbubError } from "./errors.js";
import { defer } from "./events.js";
import { checkToken, checkWebSocket, MINUTE, readToken, SECOND } from "./settings.js";
import { Wire } from "./wire.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Session } from "./session.js" */

/** Opens sockets for one user. */
export class Dialer {
  /** The token's `sub`, once there was a token. @type {string | undefined} */
  user;

  #session;
  #getToken;
  #WebSocket;

  /** @param {Session} session @param {api.Options} options */
  constructor(session, options) {
    this.#session = session;
    this.#getToken = checkToken(options);
    this.#WebSocket = checkWebSocket(options);
  }

  /**
   * Fetches a token and opens a socket with it; says how long the socket is to be used.
   * @returns {Promise<{wire: Wire, lifetime: number}>}
   */
  async open() {
    const token = await this.#fetchToken();
    const wire = await this.#openSocket(token.text);
    return { wire, lifetime: this.#lifetime(token.exp) };
  }

  async #fetchToken() {
    const { sub, exp, text } = await this.#within(this.#session.options.connectTimeout, "the token was not there", this.#askForToken());
    if (this.user !== undefined && this.user !== sub) {
      throw new HubbubError("wrong_user", `the token is for \`${sub}\`, and this client is \`${this.user}\`: close it and connect anew`);
    }
    if (this.user === undefined) {
      this.user = sub;
      this.#session.introduce(sub);
    }
    return { text, exp };
  }

  async #askForToken() {
    let text;
    try {
      text = await this.#getToken();
    } catch (error) {
      const why = /** @type {any} */ (error)?.message ?? error;
      throw new HubbubError("token_unavailable", `the token could not be fetched: ${why}`, { cause: error });
    }
    return { text, ...readToken(text) };
  }

  /** @param {string} token @returns {Promise<Wire>} */
  async #openSocket(token) {
    if (this.#session.ended) throw this.#session.ended;
    const url = new URL(this.#session.options.url);
    const isQuery = this.#session.options.auth === "query";
    if (isQuery) url.searchParams.set("token", token);
    const socket = isQuery ? new this.#WebSocket(url.href) : new this.#WebSocket(url.href, ["hubbub.v1", `bearer.${token}`]);
    /** @type {ReturnType<typeof defer<Wire>>} */
    const { promise, resolve, reject } = defer();
    const refuse = (/** @type {any} */ event) => {
      const why = event?.message || `code ${event?.code}`;
      reject(new HubbubError("connection_lost", `the server could not be reached, or refused the token: ${why}`));
    };
    socket.onerror = refuse;
    socket.onclose = refuse;
    socket.onopen = () => resolve(new Wire(socket, this.#session));
    try {
      return await this.#within(this.#session.options.connectTimeout, "the socket did not open", promise);
    } catch (error) {
      // If it opens after all, nobody is there any more.
      socket.onopen = () => socket.close(1000);
      socket.onclose = null;
      socket.onerror = () => {};
      try {
        socket.close(1000);
      } catch {
        // It never was open.
      }
      throw error;
    }
  }

  /** @template T @param {number} ms @param {string} what @param {T | PromiseLike<T>} promise @returns {Promise<T>} */
  #within(ms, what, promise) {
    const { promise: late, reject } = defer();
    const timer = this.#session.time.after(ms, () => reject(new HubbubError("timeout", `${what} within ${ms} ms`)));
    return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => this.#session.time.cancel(timer));
  }

  /**
   * How long a socket is used: until a random moment before it would be cut, for its age or for its token's, so that those who came
   * together don't move together. The end of a token that has less than a minute left, perhaps one from a cache, is left to the server.
   * @param {number} exp
   */
  #lifetime(exp) {
    const [from, to] = this.#session.options.moveAfter;
    const byAge = from + this.#session.random() * (to - from);
    const rest = exp * SECOND - this.#session.time.now();
    const byToken = this.#session.options.getToken && rest > MINUTE ? rest * (0.8 + 0.15 * this.#session.random()) : Infinity;
    return Math.min(byAge, byToken);
  }
}
