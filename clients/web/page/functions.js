/** The functions in the order of a message's path, as the dashboard shows them. The names are the stack's own. */
export const FUNCTIONS = [
  { name: "authorize", does: "checks tokens" },
  { name: "connect", does: "records the socket" },
  { name: "receive", does: "answers frames" },
  { name: "deliver", does: "appends, posts to small rooms" },
  { name: "plan-broadcast", does: "plans rounds for large rooms" },
  { name: "deliver-page", does: "posts to a page of members" },
  { name: "disconnect", does: "removes the socket" },
];
