/** What the client brings: messages, deletions, closings, receipts. It puts them into the conversations. */

import { itemOf } from "./conversation.js";
import { explain, plural } from "./text.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Chat } from "./chat.js" */
/** @import { Conversation, Item } from "./conversation.js" */

/** The number of round trips that are remembered. */
const MAX_ROUND_TRIPS = 500;

export class Incoming {
  #chat;

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
  }

  /** @param {api.Client} client */
  listen(client) {
    client.on("message", (message) => this.#receive(message));
    client.on("deleted", (event) => this.#deleted(event));
    client.on("closed", (event) => this.#closed(event));
    client.on("reset", (event) => this.#reset(event));
    client.on("left", (event) => this.#left(event));
    client.on("receipt", (receipt) => this.#receipt(receipt));
  }

  /** @param {api.Message<any>} message */
  #receive(message) {
    const chat = this.#chat;
    const conversation = chat.conversationOf(message.channel, message.from);
    if (!conversation) return;
    const item = itemOf(message, conversation);
    const isMine = message.from === chat.user;
    chat.stoppedTyping(conversation, message.from);
    if (isMine) this.#returned(conversation, item);
    else if (chat.isAway) this.#recovered(conversation, item);
    if (!conversation.insert(item)) return;
    const isSeen = conversation === chat.current && !document.hidden;
    if (!isMine && !isSeen) {
      conversation.unread += 1;
      if (conversation === chat.current) conversation.newFrom ??= item;
      chat.tell("list");
    }
    chat.tell("conversation", conversation, item);
  }

  /** The user's own message came back, so it has its place in the log. @param {Conversation} conversation @param {Item} item */
  #returned(conversation, item) {
    const { isAway, roundTrips } = this.#chat;
    item.state = "sent";
    const place = conversation.waiting.findIndex(({ id }) => id === item.id);
    if (place < 0) return;
    const [sent] = conversation.waiting.splice(place, 1);
    item.receipt = sent.receipt;
    if (sent.sentAt === undefined || isAway) return;
    item.roundTrip = performance.now() - sent.sentAt;
    roundTrips.push({ at: Date.now(), ms: item.roundTrip });
    if (roundTrips.length > MAX_ROUND_TRIPS) roundTrips.shift();
  }

  /** @param {Conversation} conversation @param {Item} item */
  #recovered(conversation, item) {
    item.isRecovered = true;
    conversation.recovery ??= conversation.note("recovered", "", { count: 0 });
    conversation.recovery.count = (conversation.recovery.count ?? 0) + 1;
    const { notice, count } = conversation.recovery;
    if (notice === "recovered") conversation.recovery.text = `You were away. ${plural(count, "message")} recovered, in order`;
  }

  /** @param {api.Reset} event */
  #reset({ channel }) {
    const chat = this.#chat;
    const affected = channel.startsWith("user:")
      ? [...chat.conversations.values()].filter(({ kind, log }) => kind === "direct" && log.length > 0)
      : [chat.conversationOf(channel, "")];
    for (const conversation of affected) {
      if (!conversation) continue;
      conversation.giveUpAccepted();
      const text = "Something may be missing here: the server no longer has all that was said while you were away.";
      conversation.recovery = conversation.note("reset", text);
      if (conversation.kind === "direct") continue;
      conversation.beginAnew();
      chat.loadEarlier(conversation);
      chat.tell("conversation", conversation);
    }
  }

  /** @param {api.Deleted} event */
  #deleted({ channel, epoch, seq, by }) {
    const chat = this.#chat;
    for (const conversation of chat.conversations.values()) {
      if (channel.startsWith("user:") ? conversation.kind !== "direct" : conversation !== chat.conversationOf(channel, "")) continue;
      const item = conversation.findSeq(seq, epoch);
      if (!item) continue;
      erase(item, by);
      chat.tell("conversation", conversation, item);
    }
  }

  /** @param {api.Closed} event */
  #closed({ channel, by, isErased, isReopened }) {
    const conversation = this.#chat.conversationOf(channel, "");
    if (!conversation) return;
    if (isErased) for (const item of conversation.log) if (item.kind === "message") erase(item, by);
    conversation.note("event", `${by} closed the room${isErased ? " and deleted its messages" : ""}${isReopened ? "; it is open again" : ""}`);
    if (!isReopened) conversation.gone = { code: "room_closed" };
    this.#chat.tell("conversation", conversation);
  }

  /** @param {api.Left} event */
  #left({ channel, reason, error }) {
    const conversation = this.#chat.conversationOf(channel, "");
    if (!conversation || channel.startsWith("user:")) return;
    conversation.gone = error ?? { code: reason };
    conversation.note("event", `You are no longer in this room: ${explain(conversation.gone)}`);
    this.#chat.tell("conversation", conversation);
  }

  /** @param {api.Receipt} receipt */
  #receipt(receipt) {
    const chat = this.#chat;
    for (const conversation of chat.conversations.values()) {
      const item = conversation.find(receipt.id);
      if (!item || item.from !== chat.user) continue;
      item.receipt = receipt;
      chat.tell("conversation", conversation, item);
    }
  }
}

/** @param {Item} item @param {string} by */
function erase(item, by) {
  item.isDeleted = true;
  item.deletedBy = by;
  delete item.body;
}
