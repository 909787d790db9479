/** What may be set, and what is wrong with what was set. */

import { HubbubError } from "./errors.js";

/** @import * as api from "../sdk/hubbub.js" */

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

/**
 * What may be set for a test or for an unusual stack, with the reasons for the values.
 * @typedef {Record<"backoffBase" | "backoffCap" | "requestTimeout" | "connectTimeout" | "pingEvery" | "maxOutbox" | "maxHeld" |
 *   "maxUnread", number> & {moveAfter: readonly [number, number]}} Defaults
 * @type {Readonly<Defaults>}
 */
export const DEFAULTS = {
  /** Full jitter: the pause before try n is anything up to `min(cap, base × 2ⁿ)`, so that those who were cut together come back apart. */
  backoffBase: SECOND,
  backoffCap: 30 * SECOND,
  /** API Gateway gives a function 29 s for its answer. */
  requestTimeout: 30 * SECOND,
  connectTimeout: 30 * SECOND,
  /** API Gateway cuts a socket that was idle for 10 minutes; PROTOCOL.md asks for a ping every 9 at least. */
  pingEvery: 8 * MINUTE,
  /** API Gateway cuts every socket after 2 hours. Between these two ages the socket is left for a fresh one, before that happens. */
  moveAfter: [90 * MINUTE, 115 * MINUTE],
  /** Messages that wait to be accepted, in all channels together. */
  maxOutbox: 1_000,
  /** Messages of one channel that wait for one before them. What is dropped beyond it is fetched by the join that is due anyway. */
  maxHeld: 1_000,
  /** Messages that wait in one `for await` loop. */
  maxUnread: 10_000,
};

/** @type {api.Clock} */
export const HOST_CLOCK = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

/** @param {string} what @param {string} id */
export function checkId(what, id) {
  if (typeof id === "string" && /^[A-Za-z0-9._:-]{1,64}$/.test(id)) return;
  throw new HubbubError("invalid_id", `\`${id}\` is not a ${what} id: use 1 to 64 of \`A–Z a–z 0–9 . _ : -\``);
}

/** @param {api.Options} options */
export function checkUrl({ url }) {
  if (URL.canParse?.(url) !== false && /^wss?:/.test(url)) return;
  throw new HubbubError("invalid_options", `\`${url}\` is not a WebSocket address: give the stack's, \`wss://…\``);
}

/** @param {api.Options} options @returns {() => string | PromiseLike<string>} */
export function checkToken({ token, getToken }) {
  if ((token === undefined) === (getToken === undefined)) {
    throw new HubbubError("invalid_options", "give either `getToken`, a function that fetches a token, or `token`");
  }
  return getToken ?? (() => /** @type {string} */ (token));
}

/** @param {api.Options} options @returns {any} */
export function checkWebSocket({ WebSocket = globalThis.WebSocket }) {
  if (WebSocket) return WebSocket;
  throw new HubbubError("invalid_options", "there is no `WebSocket` here: give one, such as the npm package `ws`, as the option `WebSocket`");
}

/** @param {api.State} state @returns {api.State} */
export function checkState(state) {
  for (const [name, position] of Object.entries(state)) {
    if (typeof position?.epoch === "string" && Number.isSafeInteger(position.seq) && position.seq >= 0) continue;
    throw new HubbubError("invalid_options", `\`state\` has no position for \`${name}\`: give what \`client.state\` gave`);
  }
  return { ...state };
}

/** What a JSON Web Token says; nobody but the server can say if it's true. @param {string} token @returns {{sub: string, exp: number}} */
export function readToken(token) {
  try {
    // Nothing else may be in a subprotocol, and the browser's complaint would have the token in it.
    if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) throw new Error("not three parts");
    const bytes = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
    if (typeof claims.sub === "string") return claims;
  } catch {
    // Told below. What was given is not repeated: it may be a secret all the same.
  }
  throw new HubbubError("invalid_token", "the token is not a JSON Web Token with a `sub`");
}

/** @template {object} T @param {T} object @returns {Partial<T>} */
export function withoutUndefined(object) {
  return /** @type {Partial<T>} */ (Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
}
