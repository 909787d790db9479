/** What each function does, in the order of a message's path. The stack says which functions it has: this is only the text beside a name. */
const WHAT_IT_DOES = {
  authorize: "checks tokens",
  connect: "records the socket",
  receive: "answers frames",
  deliver: "appends, posts to small rooms",
  "plan-broadcast": "plans rounds for large rooms",
  "deliver-page": "posts to a page of members",
  announce: "tells who comes and goes",
  disconnect: "removes the socket",
};

/** The functions to show, in order; one without a text comes last. @param {string[]} [names] the stack's functions, if it names them */
export function describeFunctions(names = Object.keys(WHAT_IT_DOES)) {
  const order = Object.keys(WHAT_IT_DOES);
  const known = order.filter((name) => names.includes(name));
  const others = names.filter((name) => !order.includes(name));
  return [...known, ...others].map((name) => ({ name, does: /** @type {Record<string, string>} */ (WHAT_IT_DOES)[name] ?? "" }));
}
