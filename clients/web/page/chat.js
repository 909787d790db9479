/**
 * The chat, without a look: who one is, the conversations, and how the connection stands. What has changed is told by events: `status`,
 * `list` (conversations, unread marks), `conversation` (its messages), `people` and `typing`, the last three with the conversation as `detail`.
 */

import { connect } from "../sdk/hubbub.js";
import { Conversation } from "./conversation.js";
import { diagnose, fetchStack, fetchToken, readGrant } from "./stack.js";
import { explain, plural, readBody } from "./text.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Item } from "./conversation.js" */
/** @import { Stack } from "./stack.js" */

const PAGE = 50;
const MOST_SENT = 200;
/** While somebody types, this is told so often, and believed a little longer. */
const TYPING_EVERY = 3_000;
const TYPING_LASTS = 5_000;
/** For so long nothing more is told of typing where the server won't have it. */
const TYPING_RESTS = 60_000;

export class Chat extends EventTarget {
  /** @type {Map<string, Conversation>} */
  conversations = new Map();
  /** @type {Conversation | null} */
  current = null;
  /** @type {api.Status} */
  status = "connecting";
  /** Why it isn't live, in words. */
  trouble = "";
  /** The stack has refused the token. */
  isRefused = false;
  /** What the last time away has brought; null when it is no longer news. @type {{awayFor: number, recovered: number, isComplete: boolean} | null} */
  comeback = null;
  /** How long one's own latest messages took until they were back here. @type {{at: number, ms: number}[]} */
  roundTrips = [];
  /** Messages that have come here. */
  received = 0;

  /** @type {Stack} */
  #stack;
  /** @type {api.Client} */
  #client;
  /** @type {Record<string, string[]>} */
  #grant = {};
  #awaySince = 0;
  #failures = 0;
  #isRestarting = false;

  /** @param {Stack} stack @param {{user: string, isModerator: boolean}} who @param {api.State} [state] where this tab had come before */
  constructor(stack, who, state = {}) {
    super();
    this.#stack = stack;
    this.user = who.user;
    this.isModerator = who.isModerator;
    this.#add("everyone", "everyone");
    for (const item of this.#loadSent()) this.#direct(item.to).insert(item);
    this.#client = this.#connect(state);
    for (const id of this.#loadRooms()) this.#enter(this.#add("room", id));
    this.#loadInbox();
  }

  get state() {
    return this.#client.state;
  }

  get unread() {
    let sum = 0;
    for (const { unread } of this.conversations.values()) sum += unread;
    return sum;
  }

  /** Whether the token lets one moderate a room. @param {Conversation} conversation */
  mayModerate({ kind, id }) {
    const matches = (/** @type {string} */ pattern) => (pattern.endsWith("*") ? id.startsWith(pattern.slice(0, -1)) : id === pattern);
    return kind === "room" && (this.#grant.admin ?? []).some(matches);
  }

  // The connection.

  /** @param {api.State} state */
  #connect(state) {
    const { url, auth } = this.#stack;
    const client = connect({ url, auth, state, getToken: () => this.#getToken(url) });
    client.on("status", (change) => client === this.#client && this.#statusChanged(change));
    client.on("message", (message) => this.#receive(message));
    client.on("deleted", (event) => this.#deleted(event));
    client.on("closed", (event) => this.#closed(event));
    client.on("reset", (event) => this.#reset(event));
    client.on("left", (event) => this.#left(event));
    client.on("receipt", (receipt) => this.#receipt(receipt));
    client.on("presence", (change) => this.#present(change));
    client.on("signal", (signal) => this.#signalled(signal));
    return client;
  }

  /** A stack that was started anew may be at another address: then the client goes on from where it was, there. @param {string} url */
  async #getToken(url) {
    const stack = await fetchStack();
    const token = await fetchToken(stack, { user: this.user, isModerator: this.isModerator });
    this.#grant = readGrant(token);
    if (stack.url !== url && !this.#isRestarting) {
      this.#isRestarting = true;
      this.#stack = stack;
      queueMicrotask(() => this.#moveToOtherStack());
      throw new Error("the stack is at another address now");
    }
    return token;
  }

  #moveToOtherStack() {
    const { state } = this.#client;
    const before = this.#client;
    this.#client = this.#connect(state);
    before.close();
    this.#isRestarting = false;
    for (const conversation of this.conversations.values()) {
      if (conversation.kind === "room" && !conversation.gone) this.#enter(conversation);
      for (const item of conversation.waiting) if (item.state === "waiting") this.#post(conversation, item);
    }
  }

  /** @param {api.StatusChange} change */
  #statusChanged({ status, error }) {
    const before = this.status;
    this.status = status;
    if (before === "live" && status !== "live" && !this.#awaySince) this.#awaySince = Date.now();
    if (status === "offline") this.#offline(error);
    else if (status === "closed") this.trouble = error ? explain(error) : "";
    else this.trouble = "";
    if (status === "live") this.#live();
    this.#tell("status");
  }

  #live() {
    this.#failures = 0;
    this.isRefused = false;
    let recovered = 0;
    let isComplete = true;
    for (const conversation of this.conversations.values()) {
      const { recovery } = conversation;
      if (!recovery) continue;
      if (recovery.notice === "reset") isComplete = false;
      recovered += recovery.count ?? 0;
      conversation.recovery = null;
    }
    if (this.#awaySince) this.comeback = { awayFor: Date.now() - this.#awaySince, recovered, isComplete };
    this.#awaySince = 0;
  }

  /** @param {any} error */
  async #offline(error) {
    this.#failures += 1;
    this.trouble = explain(error);
    if (error?.code === "token_unavailable") return;
    const { isThere, reason } = await diagnose(this.#stack, Date.now() - 15_000).catch(() => ({ isThere: false, reason: undefined }));
    if (this.status !== "offline") return;
    // A cut is no refusal, but a server that answers and lets no socket in has refused it.
    this.isRefused = reason !== undefined || (isThere && this.#failures > 1);
    if (this.isRefused) this.trouble = reason ?? "the server answers, but lets no socket in; its log says why";
    else if (!isThere) this.trouble = "the server does not answer";
    this.#tell("status");
  }

  wake() {
    this.#client.wake();
  }

  close() {
    this.#client.close();
  }

  // Conversations.

  /** @param {"room" | "direct" | "everyone"} kind @param {string} id */
  #add(kind, id) {
    const fresh = new Conversation(kind, id);
    const conversation = this.conversations.get(fresh.key) ?? fresh;
    this.conversations.set(fresh.key, conversation);
    return conversation;
  }

  /** @param {string} user */
  #direct(user) {
    return this.#add("direct", user);
  }

  /** Opens a conversation, and begins it if there is none: a room is joined. @param {"room" | "direct" | "everyone"} kind @param {string} id */
  open(kind, id) {
    const isNew = !this.conversations.has(new Conversation(kind, id).key);
    const conversation = this.#add(kind, id);
    if (isNew && kind === "room") {
      this.#enter(conversation);
      this.#saveRooms();
    }
    if (this.current !== conversation) {
      this.blur();
      this.current = conversation;
      conversation.newFrom = conversation.unread > 0 ? (conversation.items.at(-conversation.unread) ?? null) : null;
    }
    this.read();
    this.#tell("list");
    return conversation;
  }

  /** Nothing is looked at any more. */
  blur() {
    if (this.current) this.current.newFrom = null;
    this.current = null;
  }

  /** What is open has been seen. */
  read() {
    if (!this.current || document.hidden) return;
    this.current.unread = 0;
    this.#tell("list");
  }

  /** Joins a room, also one that was lost. @param {Conversation} conversation */
  async #enter(conversation) {
    conversation.gone = null;
    conversation.isEntered = false;
    const room = this.#client.room(conversation.id);
    try {
      await room.join({ presence: true }).catch((error) => {
        // One may be in a room without knowing who else is.
        if (error.code !== "not_allowed") throw error;
        return room.join();
      });
      conversation.isEntered = true;
      if (conversation.log.length === 0) this.loadEarlier(conversation);
      this.look(conversation);
    } catch (error) {
      if (/** @type {any} */ (error)?.code === "closed") return;
      conversation.gone = error;
      this.#tell("conversation", conversation);
    }
  }

  /** @param {Conversation} conversation */
  rejoin(conversation) {
    this.#enter(conversation);
    this.#tell("conversation", conversation);
  }

  /** @param {Conversation} conversation */
  leave(conversation) {
    this.conversations.delete(conversation.key);
    if (this.current === conversation) this.current = null;
    if (conversation.kind === "room") {
      this.#client
        .room(conversation.id)
        .leave()
        .catch(() => {});
      this.#saveRooms();
    } else {
      this.#saveSent();
    }
    this.#tell("list");
  }

  // What comes.

  /** The conversation of a channel's message. @param {string} channel @param {string} from */
  #conversationOf(channel, from) {
    if (channel === "everyone") return this.#add("everyone", "everyone");
    return channel.startsWith("room:") ? this.conversations.get(`room/${channel.slice(5)}`) : this.#direct(from);
  }

  /** @param {api.Message<any>} message @param {Conversation} conversation @returns {Item} */
  #item(message, conversation) {
    const { id, at, from, seq, epoch, body } = message;
    const rank = conversation.kind === "direct" ? at : seq;
    return { kind: "message", id, at, rank, from, seq, epoch, body, ...(message.deleted && { isDeleted: true }) };
  }

  /** @param {api.Message<any>} message */
  #receive(message) {
    this.received += 1;
    const conversation = this.#conversationOf(message.channel, message.from);
    if (!conversation) return;
    const item = this.#item(message, conversation);
    this.#stoppedTyping(conversation, message.from);
    if (message.from === this.user) this.#arrived(conversation, item);
    const isAway = this.#awaySince > 0;
    if (isAway) this.#recovered(conversation, item);
    if (!conversation.insert(item)) return;
    const isSeen = conversation === this.current && !document.hidden;
    if (message.from !== this.user && !isSeen) {
      conversation.unread += 1;
      if (conversation === this.current) conversation.newFrom ??= item;
      this.#tell("list");
    }
    this.#tell("conversation", conversation, item);
  }

  /** One's own message is back: it has its place now. @param {Conversation} conversation @param {Item} item */
  #arrived(conversation, item) {
    item.state = "sent";
    const place = conversation.waiting.findIndex(({ id }) => id === item.id);
    if (place < 0) return;
    const [sent] = conversation.waiting.splice(place, 1);
    item.receipt = sent.receipt;
    if (sent.sentAt === undefined || this.#awaySince > 0) return;
    item.roundTrip = performance.now() - sent.sentAt;
    this.roundTrips.push({ at: Date.now(), ms: item.roundTrip });
    if (this.roundTrips.length > 500) this.roundTrips.shift();
  }

  /** @param {Conversation} conversation @param {Item} item */
  #recovered(conversation, item) {
    item.isRecovered = item.from !== this.user;
    if (!item.isRecovered) return;
    conversation.recovery ??= conversation.note("recovered", "", { count: 0 });
    conversation.recovery.count = (conversation.recovery.count ?? 0) + 1;
    const { notice, count } = conversation.recovery;
    if (notice === "recovered") conversation.recovery.text = `You were away. ${plural(count, "message")} recovered, in order`;
  }

  /** @param {api.Reset} event */
  #reset({ channel }) {
    const affected = channel.startsWith("user:")
      ? [...this.conversations.values()].filter(({ kind, log }) => kind === "direct" && log.length > 0)
      : [this.#conversationOf(channel, "")];
    for (const conversation of affected) {
      if (!conversation) continue;
      conversation.giveUpAccepted();
      const text = "Something may be missing here: the server can no longer give what came while you were away. What it still has follows.";
      conversation.recovery = conversation.note("reset", text);
      if (conversation.kind === "direct") continue;
      conversation.beginAnew();
      this.loadEarlier(conversation);
      this.#tell("conversation", conversation);
    }
  }

  /** @param {api.Deleted} event */
  #deleted({ channel, epoch, seq, by }) {
    for (const conversation of this.conversations.values()) {
      if (channel.startsWith("user:") ? conversation.kind !== "direct" : conversation !== this.#conversationOf(channel, "")) continue;
      const item = conversation.findSeq(seq, epoch);
      if (!item) continue;
      this.#erase(item, by);
      this.#tell("conversation", conversation, item);
    }
  }

  /** @param {Item} item @param {string} by */
  #erase(item, by) {
    item.isDeleted = true;
    item.deletedBy = by;
    delete item.body;
  }

  /** @param {api.Closed} event */
  #closed({ channel, by, isErased, isReopened }) {
    const conversation = this.#conversationOf(channel, "");
    if (!conversation) return;
    if (isErased) for (const item of conversation.log) if (item.kind === "message") this.#erase(item, by);
    conversation.note("event", `${by} closed the room${isErased ? " and erased what was said" : ""}${isReopened ? "; it is open again" : ""}`);
    if (!isReopened) conversation.gone = { code: "room_closed" };
    this.#tell("conversation", conversation);
  }

  /** @param {api.Left} event */
  #left({ channel, reason, error }) {
    const conversation = this.#conversationOf(channel, "");
    if (!conversation || channel.startsWith("user:")) return;
    conversation.gone = error ?? { code: reason };
    conversation.note("event", `You are no longer in this room: ${explain(conversation.gone)}`);
    this.#tell("conversation", conversation);
  }

  /** @param {api.Receipt} receipt */
  #receipt(receipt) {
    for (const conversation of this.conversations.values()) {
      const item = conversation.find(receipt.id);
      if (!item || item.from !== this.user) continue;
      item.receipt = receipt;
      this.#tell("conversation", conversation, item);
    }
  }

  // What is sent.

  /** @param {Conversation} conversation @param {string} text */
  send(conversation, text) {
    /** @type {Item} */
    const item = { kind: "message", id: crypto.randomUUID(), at: Date.now(), rank: Date.now(), from: this.user, body: { text }, state: "waiting" };
    conversation.newFrom = null;
    // The message itself says that it is no longer being typed.
    conversation.toldTypingAt = -Infinity;
    conversation.waiting.push(item);
    this.#post(conversation, item);
    this.#tell("conversation", conversation);
  }

  /** @param {Conversation} conversation @param {Item} item */
  retry(conversation, item) {
    item.state = "waiting";
    this.#post(conversation, item);
    this.#tell("conversation", conversation, item);
  }

  /** @param {Conversation} conversation @param {Item} item */
  discard(conversation, item) {
    conversation.waiting = conversation.waiting.filter((other) => other !== item);
    this.#tell("conversation", conversation);
  }

  /** @param {Conversation} conversation @param {Item} item */
  async #post(conversation, item) {
    const options = { id: item.id, receipt: true };
    const client = this.#client;
    item.sentAt = performance.now();
    try {
      if (conversation.kind === "room") await client.room(conversation.id).publish(item.body, options);
      else await client.direct(conversation.id, item.body, options);
      if (item.state === "waiting") item.state = "accepted";
      if (conversation.kind === "direct" && conversation.id !== this.user) this.#directSent(conversation, item);
    } catch (error) {
      if (client !== this.#client) return; // The next client has it.
      item.state = "failed";
      item.error = error;
    }
    this.#tell("conversation", conversation, item);
  }

  /**
   * A direct message doesn't come back to its sender: that it is accepted is all there is to know.
   * @param {Conversation} conversation @param {Item} item
   */
  #directSent(conversation, item) {
    conversation.waiting = conversation.waiting.filter((other) => other !== item);
    item.state = "sent";
    conversation.insert(item);
    this.#saveSent();
    this.#tell("conversation", conversation);
  }

  /** @param {Conversation} conversation @param {Item} item */
  async delete(conversation, item) {
    if (item.seq !== undefined) await this.#client.room(conversation.id).delete(item.seq);
  }

  // What was before, and who is here.

  /** @param {Conversation} conversation */
  async loadEarlier(conversation) {
    if (conversation.isLoading || !conversation.hasEarlier || conversation.gone || conversation.kind === "direct") return;
    const begin = conversation.begin;
    const first = conversation.log.slice(begin).find(({ seq }) => seq !== undefined);
    const channel = conversation.kind === "room" ? this.#client.room(conversation.id) : this.#client.everyone;
    conversation.isLoading = true;
    this.#tell("conversation", conversation);
    try {
      const page = await channel.history({ before: first?.seq, limit: PAGE });
      // The log began anew meanwhile: its own page is fetched for itself.
      if (conversation.begin !== begin) return;
      conversation.insertEarlier(page.messages.map((message) => ({ ...this.#item(message, conversation), ...this.#mine(message.from) })));
      conversation.hasEarlier = page.before !== null;
    } catch {
      // It is asked for again when somebody scrolls there again.
    } finally {
      conversation.isLoading = false;
      this.#tell("conversation", conversation);
    }
  }

  /** @param {string} from @returns {Partial<Item>} */
  #mine(from) {
    return from === this.user ? { state: "sent" } : {};
  }

  async #loadInbox() {
    const page = await this.#client.inbox.history({ limit: 200 }).catch(() => null);
    for (const message of page?.messages ?? []) {
      const conversation = this.#direct(message.from);
      conversation.insert(this.#item(message, conversation));
    }
    this.loadEarlier(this.#add("everyone", "everyone"));
    this.#tell("list");
    if (this.current) this.#tell("conversation", this.current);
  }

  /** @param {api.PresenceChange} change */
  #present({ channel, users, left, paused }) {
    const conversation = this.#conversationOf(channel, "");
    if (!conversation) return;
    for (const user of left) this.#stoppedTyping(conversation, user);
    if (paused) return this.look(conversation);
    conversation.people = { users, connections: null };
    this.#tell("people", conversation);
  }

  /** Asks who is in a room, where the server doesn't tell by itself. @param {Conversation} conversation */
  async look(conversation) {
    if (!conversation.isEntered || conversation.gone || this.status === "offline") return;
    const room = this.#client.room(conversation.id);
    const isTold = () => room.presence?.paused === false;
    if (isTold()) return;
    try {
      const { count, users } = await room.who();
      if (isTold()) return;
      conversation.people = { users, connections: count };
      this.#tell("people", conversation);
    } catch {
      // Asked again soon.
    }
  }

  // Who is typing.

  /** One is typing, or is no longer. @param {Conversation} conversation @param {boolean} isTyping */
  async typing(conversation, isTyping) {
    const { kind, id, people, gone } = conversation;
    const isAlone = id === this.user || (kind === "room" && people?.connections === null && people.users.length < 2);
    if (kind === "everyone" || gone || isAlone || this.status !== "live") return;
    const now = performance.now();
    const isKnown = isTyping ? now < conversation.toldTypingAt + TYPING_EVERY : conversation.toldTypingAt === -Infinity;
    if (isKnown || now < conversation.typingRestsUntil) return;
    conversation.toldTypingAt = isTyping ? now : -Infinity;
    const body = { typing: isTyping };
    try {
      await (kind === "room" ? this.#client.room(id).signal(body) : this.#client.signal(id, body));
    } catch (error) {
      const { code, retryMs } = /** @type {api.HubbubError} */ (error);
      conversation.typingRestsUntil = performance.now() + (code === "too_fast" && retryMs ? retryMs : TYPING_RESTS);
    }
  }

  /** @param {api.Signal} signal */
  #signalled({ channel, from, body }) {
    const conversation = this.conversations.get(channel.startsWith("room:") ? `room/${channel.slice(5)}` : `direct/${from}`);
    if (!conversation || from === this.user || typeof body?.typing !== "boolean") return;
    if (!body.typing) return this.#stoppedTyping(conversation, from);
    conversation.typists.set(from, performance.now() + TYPING_LASTS);
    this.#tell("typing", conversation);
    setTimeout(() => this.#stoppedTyping(conversation, from, performance.now()), TYPING_LASTS + 10);
  }

  /** Unless it was told again meanwhile. @param {Conversation} conversation @param {string} user @param {number} [now] */
  #stoppedTyping(conversation, user, now = Infinity) {
    if ((conversation.typists.get(user) ?? Infinity) > now || !conversation.typists.delete(user)) return;
    this.#tell("typing", conversation);
  }

  // What this browser keeps.

  #loadRooms() {
    const saved = readJson(localStorage, `hubbub.rooms.${this.user}`);
    return Array.isArray(saved) && saved.length > 0 ? saved.filter((id) => typeof id === "string") : ["lobby"];
  }

  #saveRooms() {
    const rooms = [...this.conversations.values()].filter(({ kind }) => kind === "room").map(({ id }) => id);
    localStorage.setItem(`hubbub.rooms.${this.user}`, JSON.stringify(rooms));
  }

  /** One's own direct messages are in the other's inbox, not in one's own: only this browser knows them. @returns {any[]} */
  #loadSent() {
    const saved = readJson(localStorage, `hubbub.sent.${this.user}`);
    return Array.isArray(saved) ? saved : [];
  }

  #saveSent() {
    const sent = [...this.conversations.values()]
      .filter(({ kind }) => kind === "direct")
      .flatMap(({ id, log }) => log.filter(({ from, seq }) => from === this.user && seq === undefined).map((item) => ({ ...item, to: id })))
      .sort((one, other) => one.at - other.at)
      .slice(-MOST_SENT);
    localStorage.setItem(`hubbub.sent.${this.user}`, JSON.stringify(sent));
  }

  /** @param {string} what @param {Conversation} [conversation] @param {Item} [item] */
  #tell(what, conversation, item) {
    this.dispatchEvent(new CustomEvent(what, { detail: { conversation, item } }));
  }
}

/** @param {Storage} storage @param {string} name @returns {any} */
export function readJson(storage, name) {
  try {
    return JSON.parse(storage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

/** What to show of an item in a list of conversations. @param {Item | undefined} item */
export function preview(item) {
  if (!item) return "";
  if (item.kind === "notice") return item.text ?? "";
  return item.isDeleted ? "message deleted" : readBody(item.body).text;
}
