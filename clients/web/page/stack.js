/**
 * The stack that this page belongs to. `stack.json` beside the page holds its addresses. The local stack's server makes that file; elsewhere,
 * it is written by hand (README.md).
 */

/**
 * @typedef {object} Stack
 * @property {string} url the WebSocket's address
 * @property {"query" | "subprotocol"} [auth]
 * @property {string} tokenUrl gives a token for a POST of `{"user": …}`
 * @property {string} [refusalsUrl] gives the reasons for refused sockets since `?since=`
 * @property {string} [dashboardUrl] gives the dashboard's numbers
 * @property {string[]} [functions] the names of the stack's functions, for the dashboard
 */

/** @returns {Promise<Stack>} */
export async function fetchStack() {
  const stack = await fetchJson("stack.json");
  if (typeof stack.url !== "string" || typeof stack.tokenUrl !== "string") throw new Error("`stack.json` must have `url` and `tokenUrl`");
  return stack;
}

/** @param {Stack} stack @param {{user: string, isModerator: boolean}} who @returns {Promise<string>} */
export async function fetchToken(stack, { user, isModerator }) {
  const { token } = await fetchJson(stack.tokenUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user, ...(isModerator && { moderator: true }) }),
  });
  return token;
}

/**
 * Finds out why no socket opens. A browser reports a refusal and a missing server alike, so this asks the server whether it answers at all,
 * and the stack why it has refused sockets lately, where it tells.
 * @param {Stack} stack @param {number} since
 * @returns {Promise<{isThere: boolean, reason: string | undefined}>}
 */
export async function diagnose(stack, since) {
  const server = new URL(stack.url.replace(/^ws/, "http"));
  const isThere = await fetch(server.origin, { mode: "no-cors", signal: AbortSignal.timeout(5_000) }).then(
    () => true,
    () => false,
  );
  if (!isThere || !stack.refusalsUrl) return { isThere, reason: undefined };
  const { reasons } = await fetchJson(`${stack.refusalsUrl}?since=${since}`).catch(() => ({ reasons: [] }));
  return { isThere, reason: reasons.at(-1) };
}

/** @param {string} url @param {RequestInit} [init] @returns {Promise<any>} */
export async function fetchJson(url, init = {}) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(15_000), ...init });
  } catch (error) {
    throw new Error("the server of this page does not answer", { cause: error });
  }
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(value.error ?? `the server of this page answers with ${answer.status}`);
  return value;
}

/** Reads a token's grant, to decide what the page offers. The stack decides what is allowed. @param {string} token @returns {Record<string, string[]>} */
export function readGrant(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return claims.hubbub ?? {};
  } catch {
    return {};
  }
}
