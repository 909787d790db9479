/** What can go wrong. */

/**
 * Whatever goes wrong. `code` is the server's (PROTOCOL.md has them) or one of this library's own, which hubbub.d.ts lists.
 */
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

/** @param {any} frame */
export function serverError({ code, message, retry_ms, id }) {
  return new HubbubError(code, message, { retryMs: retry_ms, id });
}

/** @param {Record<string, unknown>} fields @param {unknown} [why] */
export function connectionLost(fields, why = "the socket is closed") {
  if (why instanceof HubbubError) return why;
  return new HubbubError("connection_lost", `the connection was lost before \`${fields.action}\` was answered: ${why}`);
}

/** @param {string} channel */
export function notJoined(channel) {
  return new HubbubError("not_a_member", `\`${channel}\` is not joined: join it first`);
}
