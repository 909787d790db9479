/** One client at work: its parts, its status, its pings and its end. */

import { Connections } from "./connections.js";
import { Delivery } from "./delivery.js";
import { HubbubError } from "./errors.js";
import { defer, emit, Stream } from "./events.js";
import { Outbox } from "./outbox.js";
import { Requests } from "./requests.js";
import { checkUrl, DEFAULTS, HOST_CLOCK, withoutUndefined } from "./settings.js";
import { Subscriptions } from "./subscriptions.js";
import { Timers } from "./timers.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { ServerFrame } from "../sdk/wire.js" */
/** @import { Client } from "./client.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Defaults } from "./settings.js" */
/** @import { Subscription } from "./subscription.js" */

/** The most channels in one ping. */
const MAX_SEEN = 100;

export class Session {
  /** @type {api.Status} */
  status = "connecting";
  /** Why the client is closed. @type {HubbubError | null} */
  ended = null;

  #client;
  /** Resolved and renewed after each change that something may wait for. */
  #change = defer();
  #wake = () => this.wake();

  /** @param {Client} client @param {api.Options} options */
  constructor(client, options) {
    checkUrl(options);
    this.options = /** @type {api.Options & Defaults} */ ({ ...DEFAULTS, ...withoutUndefined(options) });
    this.#client = client;
    this.timers = new Timers(options.clock ?? HOST_CLOCK);
    this.random = options.random ?? Math.random;
    this.connections = new Connections(this, options);
    this.subscriptions = new Subscriptions(this, options);
    this.delivery = new Delivery(this, client);
    this.requests = new Requests(this);
    this.outbox = new Outbox(this);
    // After the caller's turn, so that its listeners and joins are there first.
    queueMicrotask(() => this.connections.dial());
    this.#pingOften();
    /** @type {any} */ (globalThis).addEventListener?.("online", this.#wake);
  }

  get user() {
    return this.connections.user;
  }

  /** Resolves at the next change. */
  get change() {
    return this.#change.promise;
  }

  changed() {
    this.#change.resolve(undefined);
    this.#change = defer();
  }

  /** Tries to connect at once, or asks an open socket if it is alive. */
  wake() {
    if (this.ended) return;
    if (this.connections.current) this.#ping(this.connections.current);
    else this.connections.dialNow();
  }

  /** @param {string} user */
  setUser(user) {
    this.subscriptions.nameInbox(user);
  }

  /** There is a fresh connection. */
  connected() {
    const hasMissed = this.subscriptions.all.some(({ wasMember }) => wasMember);
    if (this.status !== "live") this.setStatus(hasMissed ? "recovering" : "connecting");
    this.subscriptions.reconcileAll();
    this.changed();
  }

  /** The current connection is gone. The one before it may be in use again. @param {unknown} why */
  disconnected(why) {
    if (this.connections.current) this.subscriptions.reconcileAll();
    else this.setStatus("offline", new HubbubError("connection_lost", `the connection was lost: ${why}`));
    this.changed();
  }

  /** A frame that answers nothing. @param {Connection} connection @param {ServerFrame} frame */
  receive(connection, frame) {
    if (frame.type === "message") this.delivery.receiveEntries(frame.channel, frame.epoch, [frame]);
    else if (frame.type === "messages") this.delivery.receiveEntries(frame.channel, frame.epoch, frame.messages);
    else if (frame.type === "left") this.delivery.receiveLeft(connection, frame);
    else if (frame.type === "closing") this.connections.closedByServer(connection, frame);
    else if (frame.type === "receipt") this.delivery.receiveReceipt(connection, frame);
    else if (frame.type === "presence") this.delivery.receivePresence(frame);
    else if (frame.type === "signal") this.delivery.receiveSignal(connection, frame);
  }

  /** Pings keep the sockets from being idle, and find lost messages that no later message has shown to be missing. */
  #pingOften() {
    this.timers.after(this.options.pingEvery, () => {
      this.#pingOften();
      for (const connection of this.connections.all) this.#ping(connection);
    });
  }

  /** @param {Connection} connection */
  #ping(connection) {
    const seen = Object.entries(this.subscriptions.state);
    for (let from = 0; from === 0 || from < seen.length; from += MAX_SEEN) {
      const part = seen.slice(from, from + MAX_SEEN);
      connection.ask({ action: "ping", ...(part.length > 0 && { seen: Object.fromEntries(part) }) }).then(
        ({ rejoin = [] }) => this.subscriptions.rejoin(rejoin),
        () => {}, // A socket that doesn't answer is given up by itself, and the next ping asks again.
      );
    }
  }

  /** @param {Subscription} subscription */
  stream(subscription) {
    const stream = new Stream(subscription, this.options.maxUnread);
    if (this.ended) stream.end();
    return stream;
  }

  /** @param {api.Status} status @param {HubbubError} [error] */
  setStatus(status, error) {
    if (status === this.status && !error) return;
    const previous = this.status;
    this.status = status;
    emit(this.#client, "status", { status, previous, error });
  }

  /** Closes the client for good. @param {HubbubError} [error] why, if the application didn't do it */
  end(error) {
    if (this.ended) return;
    this.ended = error ?? new HubbubError("closed", "the client is closed: connect a new one");
    this.timers.end();
    /** @type {any} */ (globalThis).removeEventListener?.("online", this.#wake);
    this.connections.end(this.ended);
    this.outbox.reject(this.ended);
    this.subscriptions.end(this.ended, error);
    this.changed();
    this.setStatus("closed", error);
  }
}
