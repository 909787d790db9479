/**
 * The chat without a view: the user, the conversations, and the state of the connection. Events tell what has changed: `status`, `list`
 * (conversations, unread marks), and with the conversation as `detail` `conversation` (its messages), `people` and `typing`.
 */

import { connect } from "../sdk/hubbub.js";
import { Conversation, itemOf } from "./conversation.js";
import { Incoming } from "./incoming.js";
import { diagnose, fetchStack, fetchToken, readGrant } from "./stack.js";
import { loadRooms, loadSent, saveRooms, saveSent } from "./storage.js";
import { explain } from "./text.js";
import { Typing } from "./typing.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Item } from "./conversation.js" */
/** @import { Stack } from "./stack.js" */

/** The messages of one page of history. */
const PAGE = 50;

export class Chat extends EventTarget {
  /** @type {Map<string, Conversation>} */
  conversations = new Map();
  /** @type {Conversation | null} */
  current = null;
  /** @type {api.Status} */
  status = "connecting";
  /** Why the client isn't live, in words. */
  trouble = "";
  /** The stack has refused the token. */
  isRefused = false;
  /** The result of the last time away; null when it was shown long enough. @type {{awayFor: number, recovered: number, isComplete: boolean} | null} */
  comeback = null;
  /** How long the user's latest messages took to come back. @type {{at: number, ms: number}[]} */
  roundTrips = [];

  /** @type {Stack} */
  #stack;
  /** @type {api.Client} */
  #client;
  /** @type {Record<string, string[]>} */
  #grant = {};
  #incoming = new Incoming(this);
  #typing = new Typing(this, (conversation) => this.tell("typing", conversation));
  /** When the connection was lost; 0 while it is there. */
  #awaySince = 0;
  #failures = 0;
  #isRestarting = false;

  /** @param {Stack} stack @param {{user: string, isModerator: boolean}} who @param {api.State} [state] of this tab before a reload */
  constructor(stack, who, state = {}) {
    super();
    this.#stack = stack;
    this.user = who.user;
    this.isModerator = who.isModerator;
    this.#add("everyone", "everyone");
    for (const item of loadSent(this.user)) this.#direct(item.to).insert(item);
    this.#client = this.#connect(state);
    for (const id of loadRooms(this.user)) this.#enter(this.#add("room", id));
    this.#loadInbox();
  }

  get state() {
    return this.#client.state;
  }

  get isAway() {
    return this.#awaySince > 0;
  }

  get unread() {
    let sum = 0;
    for (const { unread } of this.conversations.values()) sum += unread;
    return sum;
  }

  /** Whether the token allows moderating a room. @param {Conversation} conversation */
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
    this.#incoming.listen(client);
    client.on("presence", (change) => this.#present(change));
    client.on("signal", (signal) => this.#signalled(signal));
    return client;
  }

  /** A restarted stack may be at another address. Then a new client goes on there from the same state. @param {string} url */
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
    this.tell("status");
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
    // One cut is no refusal. A server that answers but accepts no socket has refused it.
    this.isRefused = reason !== undefined || (isThere && this.#failures > 1);
    if (this.isRefused) this.trouble = reason ?? "the server answers, but accepts no socket; its log says why";
    else if (!isThere) this.trouble = "the server does not answer";
    this.tell("status");
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

  /** The conversation of a channel's message; undefined for a room that was left. @param {string} channel @param {string} from */
  conversationOf(channel, from) {
    if (channel === "everyone") return this.#add("everyone", "everyone");
    return channel.startsWith("room:") ? this.conversations.get(`room/${channel.slice(5)}`) : this.#direct(from);
  }

  /** Opens a conversation. A room that is new here is joined. @param {"room" | "direct" | "everyone"} kind @param {string} id */
  open(kind, id) {
    const isNew = !this.conversations.has(new Conversation(kind, id).key);
    const conversation = this.#add(kind, id);
    if (isNew && kind === "room") {
      this.#enter(conversation);
      saveRooms(this.user, this.conversations.values());
    }
    if (this.current !== conversation) {
      this.blur();
      this.current = conversation;
      conversation.newFrom = conversation.unread > 0 ? (conversation.items.at(-conversation.unread) ?? null) : null;
    }
    this.read();
    this.tell("list");
    return conversation;
  }

  /** No conversation is open any more. */
  blur() {
    if (this.current) this.current.newFrom = null;
    this.current = null;
  }

  /** The user sees the open conversation. */
  read() {
    if (!this.current || document.hidden) return;
    this.current.unread = 0;
    this.tell("list");
  }

  /** Joins a room, for the first time or again. @param {Conversation} conversation */
  async #enter(conversation) {
    conversation.gone = null;
    conversation.isEntered = false;
    const room = this.#client.room(conversation.id);
    try {
      await room.join({ presence: true }).catch((error) => {
        // A token may allow joining without presence.
        if (error.code !== "not_allowed") throw error;
        return room.join();
      });
      conversation.isEntered = true;
      if (conversation.log.length === 0) this.loadEarlier(conversation);
      this.look(conversation);
    } catch (error) {
      if (/** @type {any} */ (error)?.code === "closed") return;
      conversation.gone = error;
      this.tell("conversation", conversation);
    }
  }

  /** @param {Conversation} conversation */
  rejoin(conversation) {
    this.#enter(conversation);
    this.tell("conversation", conversation);
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
      saveRooms(this.user, this.conversations.values());
    } else {
      saveSent(this.user, this.conversations.values());
    }
    this.tell("list");
  }

  // Sending.

  /** @param {Conversation} conversation @param {string} text */
  send(conversation, text) {
    /** @type {Item} */
    const item = { kind: "message", id: crypto.randomUUID(), at: Date.now(), rank: Date.now(), from: this.user, body: { text }, state: "waiting" };
    conversation.newFrom = null;
    // The message itself ends the typing.
    conversation.typingSentAt = -Infinity;
    conversation.waiting.push(item);
    this.#post(conversation, item);
    this.tell("conversation", conversation);
  }

  /** @param {Conversation} conversation @param {Item} item */
  retry(conversation, item) {
    item.state = "waiting";
    this.#post(conversation, item);
    this.tell("conversation", conversation, item);
  }

  /** @param {Conversation} conversation @param {Item} item */
  discard(conversation, item) {
    conversation.waiting = conversation.waiting.filter((other) => other !== item);
    this.tell("conversation", conversation);
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
      if (client !== this.#client) return; // The next client sends it.
      item.state = "failed";
      item.error = error;
    }
    this.tell("conversation", conversation, item);
  }

  /**
   * A direct message doesn't come back to its sender, so it counts as sent when it is accepted.
   * @param {Conversation} conversation @param {Item} item
   */
  #directSent(conversation, item) {
    conversation.waiting = conversation.waiting.filter((other) => other !== item);
    item.state = "sent";
    conversation.insert(item);
    saveSent(this.user, this.conversations.values());
    this.tell("conversation", conversation);
  }

  /** @param {Conversation} conversation @param {Item} item */
  async delete(conversation, item) {
    if (item.seq !== undefined) await this.#client.room(conversation.id).delete(item.seq);
  }

  // History and people.

  /** @param {Conversation} conversation */
  async loadEarlier(conversation) {
    if (conversation.isLoading || !conversation.hasEarlier || conversation.gone || conversation.kind === "direct") return;
    const begin = conversation.begin;
    const first = conversation.log.slice(begin).find(({ seq }) => seq !== undefined);
    const channel = conversation.kind === "room" ? this.#client.room(conversation.id) : this.#client.everyone;
    conversation.isLoading = true;
    this.tell("conversation", conversation);
    try {
      const page = await channel.history({ before: first?.seq, limit: PAGE });
      // The log has a new epoch since: this page is of the one before.
      if (conversation.begin !== begin) return;
      conversation.insertEarlier(page.messages.map((message) => ({ ...itemOf(message, conversation), ...this.#mine(message.from) })));
      conversation.hasEarlier = page.before !== null;
    } catch {
      // The next scroll to this place asks again.
    } finally {
      conversation.isLoading = false;
      this.tell("conversation", conversation);
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
      conversation.insert(itemOf(message, conversation));
    }
    this.loadEarlier(this.#add("everyone", "everyone"));
    this.tell("list");
    if (this.current) this.tell("conversation", this.current);
  }

  /** @param {api.PresenceChange} change */
  #present({ channel, users, left, paused }) {
    const conversation = this.conversationOf(channel, "");
    if (!conversation) return;
    for (const user of left) this.#typing.stopped(conversation, user);
    if (paused) return this.look(conversation);
    conversation.people = { users, connections: null };
    this.tell("people", conversation);
  }

  /** Asks who is in a room, if the server sends no presence events for it. @param {Conversation} conversation */
  async look(conversation) {
    if (!conversation.isEntered || conversation.gone || this.status === "offline") return;
    const room = this.#client.room(conversation.id);
    const isTold = () => room.presence?.paused === false;
    if (isTold()) return;
    try {
      const { count, users } = await room.who();
      if (isTold()) return;
      conversation.people = { users, connections: count };
      this.tell("people", conversation);
    } catch {
      // The next look asks again.
    }
  }

  /** @param {Conversation} conversation @param {string} user */
  stoppedTyping(conversation, user) {
    this.#typing.stopped(conversation, user);
  }

  /** Tells the others that the user types, or has stopped. @param {Conversation} conversation @param {boolean} isTyping */
  typing(conversation, isTyping) {
    const { kind, id } = conversation;
    this.#typing.send(conversation, isTyping, (body) => (kind === "room" ? this.#client.room(id).signal(body) : this.#client.signal(id, body)));
  }

  /** @param {api.Signal} signal */
  #signalled({ channel, from, body }) {
    const conversation = this.conversations.get(channel.startsWith("room:") ? `room/${channel.slice(5)}` : `direct/${from}`);
    if (!conversation || from === this.user || typeof body?.typing !== "boolean") return;
    this.#typing.receive(conversation, from, body.typing);
  }

  /** @param {string} what @param {Conversation} [conversation] @param {Item} [item] */
  tell(what, conversation, item) {
    this.dispatchEvent(new CustomEvent(what, { detail: { conversation, item } }));
  }
}
