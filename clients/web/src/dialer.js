/** Opens sockets: fetches a token, does the handshake, and says how long a socket is used. */

import { Connection } from "./connection.js";
import { HubbubError } from "./errors.js";
import { defer } from "./events.js";
import { checkToken, checkWebSocket, MINUTE, readToken, SECOND } from "./settings.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Session } from "./session.js" */

export class Dialer {
  /** The `sub` of the first token. @type {string | undefined} */
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
   * Fetches a token and opens a socket with it. `lifetime` is how many milliseconds the socket should be used.
   * @returns {Promise<{connection: Connection, lifetime: number}>}
   */
  async open() {
    const token = await this.#fetchToken();
    const connection = await this.#openSocket(token.text);
    return { connection, lifetime: this.#lifetime(token.exp) };
  }

  async #fetchToken() {
    const { sub, exp, text } = await this.#within(this.#session.options.connectTimeout, "there was no token", this.#askForToken());
    if (this.user !== undefined && this.user !== sub) {
      throw new HubbubError("wrong_user", `the token is for \`${sub}\`, and this client is \`${this.user}\`'s: connect a new one for another user`);
    }
    if (this.user === undefined) {
      this.user = sub;
      this.#session.setUser(sub);
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

  /** @param {string} token @returns {Promise<Connection>} */
  async #openSocket(token) {
    if (this.#session.ended) throw this.#session.ended;
    const url = new URL(this.#session.options.url);
    const isQuery = this.#session.options.auth === "query";
    if (isQuery) url.searchParams.set("token", token);
    const socket = isQuery ? new this.#WebSocket(url.href) : new this.#WebSocket(url.href, ["hubbub.v1", `bearer.${token}`]);
    /** @type {ReturnType<typeof defer<Connection>>} */
    const { promise, resolve, reject } = defer();
    const refuse = (/** @type {any} */ event) => {
      const why = event?.message || `code ${event?.code}`;
      reject(new HubbubError("connection_lost", `the server could not be reached, or refused the token: ${why}`));
    };
    socket.onerror = refuse;
    socket.onclose = refuse;
    socket.onopen = () => resolve(new Connection(socket, this.#session));
    try {
      return await this.#within(this.#session.options.connectTimeout, "the socket did not open", promise);
    } catch (error) {
      // If it opens after all, nobody waits for it any more.
      socket.onopen = () => socket.close(1000);
      socket.onclose = null;
      socket.onerror = () => {};
      try {
        socket.close(1000);
      } catch {
        // It was never open.
      }
      throw error;
    }
  }

  /** @template T @param {number} ms @param {string} what @param {T | PromiseLike<T>} promise @returns {Promise<T>} */
  #within(ms, what, promise) {
    const { promise: late, reject } = defer();
    const timer = this.#session.timers.after(ms, () => reject(new HubbubError("timeout", `${what} within ${ms} ms`)));
    return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => this.#session.timers.cancel(timer));
  }

  /**
   * A socket is used until a random moment before it would be cut, for its age or for its token's, so that clients which connected together
   * don't move together. A token with less than a minute left may come from a cache: its end is left to the server.
   * @param {number} exp
   */
  #lifetime(exp) {
    const [from, to] = this.#session.options.moveAfter;
    const byAge = from + this.#session.random() * (to - from);
    const rest = exp * SECOND - this.#session.timers.now();
    const byToken = this.#session.options.getToken && rest > MINUTE ? rest * (0.8 + 0.15 * this.#session.random()) : Infinity;
    return Math.min(byAge, byToken);
  }
}
