/** Errors: the one class that applications see, and the errors that this library makes itself. */

/** @import { Frames } from "./wire.js" */

/** Every error of this library. `code` is one of the server's (sdk/wire.d.ts) or one of the library's own (sdk/hubbub.d.ts). */
export class HubbubError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{retryMs?: number, id?: string, cause?: unknown}} [details]
   */
  constructor(code, message, { retryMs, id, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "HubbubError";
    this.code = code;
    this.retryMs = retryMs;
    this.id = id;
  }
}

/** @param {unknown} error @returns {HubbubError} */
export function asHubbubError(error) {
  if (error instanceof HubbubError) return error;
  return new HubbubError("connection_lost", `the server could not be reached: ${/** @type {any} */ (error)?.message ?? error}`, {
    cause: error,
  });
}

/** @param {Frames["error"]} frame */
export function serverError({ code, message, retry_ms, id }) {
  return new HubbubError(code, message, { retryMs: retry_ms, id });
}

/** @param {string} action @param {unknown} [why] */
export function connectionLost(action, why = "the socket is closed") {
  if (why instanceof HubbubError) return why;
  return new HubbubError("connection_lost", `the connection was lost before \`${action}\` was answered: ${why}`);
}

/** @param {string} channel */
export function notJoined(channel) {
  return new HubbubError("not_a_member", `\`${channel}\` is not joined: join it first`);
}
