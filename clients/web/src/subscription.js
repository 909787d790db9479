/** One channel as the session sees it. */

import { PresenceTracker } from "./presence.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Channel } from "./client.js" */
/** @import { Connection } from "./connection.js" */
/** @import { HubbubError } from "./errors.js" */
/** @import { defer, Stream } from "./events.js" */
/** @import { Log } from "./log.js" */

export class Subscription {
  /** The application wants its messages. */
  isFollowed = false;
  /** It was joined, or an earlier client had joined it: losing it is an event. */
  wasMember = false;
  /** A join is due, whatever the log says. */
  mustJoin = false;
  /** Where the next join starts; at the known position if undefined. @type {api.Since | undefined} */
  start;
  /** The application wants presence events. */
  isWatched = false;
  presence = new PresenceTracker();
  /** `Subscriptions` reconciles it at the moment. */
  isReconciling = false;
  /** Whether what was asked for could be given, in the joins that are being waited for. @type {boolean | undefined} */
  recovered;
  /** Why it is no longer followed. @type {HubbubError | null} */
  whyLeft = null;
  /** The calls of `join` that wait. @type {ReturnType<typeof defer<api.Joined>>[]} */
  joins = [];
  /** @type {Set<Stream>} */
  streams = new Set();
  /** @type {Channel | undefined} */
  channel;

  /** @param {string} name @param {Log} log */
  constructor(name, log) {
    this.name = name;
    this.log = log;
  }

  get isRoom() {
    return this.name.startsWith("room:");
  }

  /** What a join on this connection must say about presence: undefined if the server knows it already. @param {Connection} connection @returns {boolean | undefined} */
  presenceToAsk({ watched }) {
    const isKnown = watched.has(this.name);
    if (this.isWatched) return isKnown && !this.presence.isStale ? undefined : true;
    return isKnown ? false : undefined;
  }
}
