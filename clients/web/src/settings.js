/** The options of a client: defaults and checks. */

import { HubbubError } from "./errors.js";

/** @import * as api from "../sdk/hubbub.js" */

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

/**
 * Defaults of options that only a test or an unusual stack sets, each with its reason.
 * @typedef {Record<"backoffBase" | "backoffCap" | "requestTimeout" | "connectTimeout" | "pingEvery" | "maxOutbox" | "maxHeld" |
 *   "maxUnread", number> & {moveAfter: readonly [number, number]}} Defaults
 * @type {Readonly<Defaults>}
 */
export const DEFAULTS = {
  /** The pause before try n is random, up to `min(cap, base × 2ⁿ)`, so that clients which were cut together don't come back together. */
  backoffBase: SECOND,
  backoffCap: 30 * SECOND,
  /** API Gateway waits 29 s for a function's answer. */
  requestTimeout: 30 * SECOND,
  connectTimeout: 30 * SECOND,
  /** API Gateway cuts a socket that was idle for 10 minutes. PROTOCOL.md asks for a ping every 9 minutes. */
  pingEvery: 8 * MINUTE,
  /** API Gateway cuts every socket after 2 hours. The client moves to a fresh one before that, at a random age between these two. */
  moveAfter: [90 * MINUTE, 115 * MINUTE],
  /** Messages that wait to be accepted, in all channels together. */
  maxOutbox: 1_000,
  /** Messages of one channel that wait for one before them. The join that is due anyway fetches what is dropped beyond this. */
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

/** Reads a JSON Web Token. Only the server can check its signature. @param {string} token @returns {{sub: string, exp: number}} */
export function readToken(token) {
  try {
    // A subprotocol may have no other characters, and the browser's error would show the token.
    if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) throw new Error("not three parts");
    const bytes = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
    if (typeof claims.sub === "string") return claims;
  } catch {
    // The error below does not repeat the text: it may be a secret all the same.
  }
  throw new HubbubError("invalid_token", "the token is not a JSON Web Token with a `sub`");
}

/** @template {object} T @param {T} object @returns {Partial<T>} */
export function withoutUndefined(object) {
  return /** @type {Partial<T>} */ (Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
}
