/** What the sockets bring without being asked: messages, removals, receipts, presence, signals. It tells the application. */

import { HubbubError } from "./errors.js";
import { emit } from "./events.js";
import { isMessage, toMessage } from "./log.js";

/** @import { Client } from "./client.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Session } from "./session.js" */
/** @import { Subscription } from "./subscription.js" */
/** @import { Entry, Frames } from "./wire.js" */

/** The number of signals that are remembered, to drop the copies that both sockets bring during a move. */
const MAX_SIGNALS = 100;

export class Delivery {
  #session;
  #client;
  /** The latest signals, each with the connection that brought it first. @type {Map<string, Connection>} */
  #signals = new Map();

  /** @param {Session} session @param {Client} client */
  constructor(session, client) {
    this.#session = session;
    this.#client = client;
  }

  /** @param {Subscription | undefined} subscription @param {string} name @param {unknown} event */
  tell(subscription, name, event) {
    if (subscription?.channel) emit(subscription.channel, name, event);
    emit(this.#client, name, event);
  }

  /** @param {string} name @param {string} epoch @param {Entry[]} entries */
  receiveEntries(name, epoch, entries) {
    const { subscriptions } = this.#session;
    const subscription = subscriptions.find(name);
    if (!subscription?.isFollowed) return;
    subscription.log.receive(epoch, entries);
    this.handOut(subscription);
    subscriptions.fillGap(subscription);
  }

  /** Hands out the entries whose turn it is, until a listener leaves the channel. @param {Subscription} subscription */
  handOut(subscription) {
    const { name, log } = subscription;
    for (let taken; subscription.log === log && (taken = log.next()); ) {
      const { epoch, entry } = taken;
      this.#session.outbox.noteEntry(name, entry);
      const about = { channel: name, epoch, seq: entry.seq, by: entry.from, at: entry.at };
      if (isMessage(entry)) {
        const message = toMessage(name, epoch, entry);
        this.tell(subscription, "message", message);
        for (const stream of [...subscription.streams]) stream.push(message);
      } else if (entry.deleted !== undefined) {
        this.tell(subscription, "deleted", { ...about, seq: entry.deleted });
      } else if (entry.closed !== undefined) {
        // A join was answered after this entry: the room is open again, and the connection is a member.
        const isReopened = log.head?.epoch === epoch && entry.seq <= log.head.seq;
        this.tell(subscription, "closed", { ...about, isErased: entry.closed === "erased", isReopened });
        if (!isReopened && subscription.log === log) this.#roomClosed(subscription);
      }
    }
  }

  /** @param {Subscription} subscription */
  #roomClosed(subscription) {
    const { connections, subscriptions } = this.#session;
    for (const connection of connections.all) connection.forget(subscription.name);
    subscriptions.unfollow(subscription, new HubbubError("room_closed", `\`${subscription.name}\` is closed`));
  }

  /** A moderator has removed the user. @param {Connection} connection @param {Frames["left"]} frame */
  receiveLeft(connection, { channel, reason = "kicked" }) {
    const { connections, subscriptions, user } = this.#session;
    connection.forget(channel);
    const subscription = subscriptions.find(channel);
    // An old socket brings this too late if the new one has joined since.
    if (!subscription?.isFollowed || connections.current?.members.has(channel)) return;
    const { position } = subscription.log;
    subscriptions.unfollow(subscription, new HubbubError(reason, `\`${user}\` was ${reason} from \`${channel}\``));
    this.tell(subscription, "left", { channel, reason, position });
  }

  /** @param {Connection} connection @param {Frames["receipt"]} frame */
  receiveReceipt(connection, { type, ...receipt }) {
    connection.awaitedReceipts.delete(receipt.id);
    this.tell(this.#session.subscriptions.find(receipt.channel), "receipt", receipt);
    this.#session.connections.closeIfDone(connection);
  }

  /** @param {Frames["presence"]} frame */
  receivePresence(frame) {
    const subscription = this.#session.subscriptions.find(frame.channel);
    if (subscription?.isWatched) this.tellPresence(subscription, subscription.presence.update(frame));
  }

  /** @param {Subscription} subscription @param {object | null} change */
  tellPresence(subscription, change) {
    if (change) this.tell(subscription, "presence", { channel: subscription.name, ...change });
  }

  /** @param {Connection} connection @param {Frames["signal"]} frame */
  receiveSignal(connection, { channel, from, at, body }) {
    const subscription = this.#session.subscriptions.find(channel);
    const key = JSON.stringify([channel, from, at, body]);
    const isCopy = (this.#signals.get(key) ?? connection) !== connection;
    if (!isCopy) this.#signals.set(key, connection);
    for (const oldest of this.#signals.keys()) if (this.#signals.size > MAX_SIGNALS) this.#signals.delete(oldest);
    if (subscription?.isFollowed && !isCopy) this.tell(subscription, "signal", { channel, from, at, body });
  }
}
