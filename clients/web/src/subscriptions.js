/** Which channels are followed. It makes the current connection a member of these, and of no other room, and fetches what is missing. */

import { asHubbubError, HubbubError } from "./errors.js";
import { defer } from "./events.js";
import { Log } from "./log.js";
import { copy, PresenceTracker } from "./presence.js";
import { checkState, withoutUndefined } from "./settings.js";
import { Subscription } from "./subscription.js";
import { roomOf, target } from "./wire.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Session } from "./session.js" */
/** @import { Request } from "./wire.js" */

/** The pause after a join that brought nothing new. The next pauses are multiples of it. */
const IDLE_PAUSE = 100;

export class Subscriptions {
  #session;
  /** Positions of an earlier client whose channels are not known yet. */
  #imported;
  /** @type {Map<string, Subscription>} */
  #byName = new Map();

  /** @param {Session} session @param {api.Options} options */
  constructor(session, { state = {}, inbox = true, everyone = true }) {
    this.#session = session;
    this.#imported = checkState(state);
    // Its name is known with the first token.
    this.inbox = new Subscription("user:", this.#newLog());
    this.everyone = this.of("everyone");
    this.inbox.isFollowed = inbox;
    this.everyone.isFollowed = everyone;
    for (const name of Object.keys(this.#imported)) if (name.startsWith("room:")) this.of(name);
  }

  get all() {
    return [...this.#byName.values()];
  }

  /** How far the client has come. @returns {api.State} */
  get state() {
    const state = { ...this.#imported };
    for (const { name, isFollowed, log } of this.all) {
      if (isFollowed && log.position) state[name] = { ...log.position };
    }
    return state;
  }

  #newLog(/** @type {api.Position | null} */ position = null) {
    return new Log(this.#session.options.maxHeld, position);
  }

  /** @param {string} name @returns {Subscription | undefined} */
  find(name) {
    return this.#byName.get(name);
  }

  /** The subscription of this channel, a new one if there is none. @param {string} name */
  of(name) {
    const known = this.#byName.get(name);
    if (known) return known;
    const subscription = new Subscription(name, this.#newLog());
    this.#byName.set(name, subscription);
    const position = this.#imported[name];
    if (position) this.#resume(subscription, position);
    return subscription;
  }

  /** The user is known now, and so is the name of their channel. @param {string} user */
  nameInbox(user) {
    this.inbox.name = `user:${user}`;
    this.#byName.set(this.inbox.name, this.inbox);
    const position = this.#imported[this.inbox.name];
    if (position && this.inbox.isFollowed) this.#resume(this.inbox, position);
    // The rest would be other users' inboxes.
    this.#imported = {};
  }

  /** Goes on from an imported position, once. @param {Subscription} subscription @param {api.Position} position */
  #resume(subscription, position) {
    delete this.#imported[subscription.name];
    if (subscription.log.position === null) subscription.log = this.#newLog(position);
    subscription.isFollowed = subscription.wasMember = true;
  }

  /** @param {Subscription} subscription @param {api.JoinOptions} options @returns {Promise<api.Joined>} */
  follow(subscription, { since, epoch, presence }) {
    const { ended } = this.#session;
    if (ended) return Promise.reject(ended);
    if (!subscription.isFollowed) subscription.log = this.#newLog();
    subscription.isFollowed = subscription.mustJoin = true;
    subscription.whyLeft = null;
    if (presence !== undefined) subscription.isWatched = presence;
    if (presence === false) subscription.presence = new PresenceTracker();
    if (presence) subscription.presence.isStale = true;
    if (since !== undefined) subscription.start = epoch === undefined ? { since } : { since, epoch };
    const join = defer();
    subscription.joins.push(join);
    this.#reconcile(subscription);
    return join.promise;
  }

  /** Returns when the connection is no longer a member. @param {Subscription} subscription */
  async leave(subscription) {
    const session = this.#session;
    this.unfollow(subscription, new HubbubError("not_a_member", `\`${subscription.name}\` was left: join it first`));
    this.#reconcile(subscription);
    while (!subscription.isFollowed && session.connections.current?.mayBeMember(subscription.name)) await session.change;
  }

  /** Forgets what was known of the channel, and ends its loops. @param {Subscription} subscription @param {HubbubError} why */
  unfollow(subscription, why) {
    subscription.isFollowed = subscription.wasMember = subscription.mustJoin = subscription.isWatched = false;
    subscription.whyLeft = why;
    subscription.start = undefined;
    subscription.log = this.#newLog();
    subscription.presence = new PresenceTracker();
    for (const join of subscription.joins.splice(0)) join.reject(why);
    for (const stream of [...subscription.streams]) stream.end();
    this.#session.changed();
  }

  /** The server has more in these channels than was seen, or has forgotten the membership. @param {string[]} names */
  rejoin(names) {
    for (const name of names) {
      const subscription = this.#byName.get(name);
      if (!subscription?.isFollowed) continue;
      subscription.mustJoin = true;
      // A connection that is no longer a member isn't told of presence changes either.
      subscription.presence.isStale = true;
      this.#reconcile(subscription);
    }
  }

  /** The server has forgotten that this connection is a member. @param {Subscription} subscription @param {Connection} connection */
  joinAgain(subscription, connection) {
    connection.forget(subscription.name);
    this.#reconcile(subscription);
  }

  /** Fetches what is missing. @param {Subscription} subscription */
  fillGap(subscription) {
    if (subscription.log.needsJoin) this.#reconcile(subscription);
  }

  reconcileAll() {
    for (const subscription of this.all) this.#reconcile(subscription);
    this.#settle();
  }

  /** Joins or leaves until the current connection is as it should be. Never twice at a time for one channel. @param {Subscription} subscription */
  async #reconcile(subscription) {
    const session = this.#session;
    const { name } = subscription;
    if (subscription.isReconciling) return;
    subscription.isReconciling = true;
    let failures = 0;
    for (let connection; (connection = session.connections.current) && !session.ended; ) {
      const isMember = connection.members.has(name);
      const mustLeave = !subscription.isFollowed && connection.mayBeMember(name) && subscription.isRoom;
      const isIncomplete = !isMember || subscription.mustJoin || subscription.log.needsJoin;
      const mustJoin = subscription.isFollowed && (isIncomplete || subscription.presenceToAsk(connection) !== undefined);
      if (!mustLeave && !mustJoin) break;
      try {
        await (mustJoin ? this.#join(subscription, connection) : this.#leave(subscription, connection));
        failures = 0;
      } catch (error) {
        if (session.ended) break;
        const pause = session.requests.retryPause(asHubbubError(error), connection, failures++);
        if (pause !== undefined) await session.timers.sleep(pause);
        else if (mustJoin) {
          if (!isMember) connection.forget(name);
          this.#giveUp(subscription, asHubbubError(error));
        } else connection.forget(name);
      }
    }
    subscription.isReconciling = false;
    this.#settle(subscription);
    session.changed();
  }

  /** @param {Subscription} subscription @param {Connection} connection */
  async #join(subscription, connection) {
    const session = this.#session;
    const { name, log, start, presence: tracker } = subscription;
    subscription.mustJoin = false;
    const presence = subscription.presenceToAsk(connection);
    if (presence) {
      tracker.joinSent();
      connection.watched.add(name);
    }
    connection.unsure.add(name);
    /** @type {Request<"join">} */
    const fields = { action: "join", ...target(name), ...log.join(start), ...withoutUndefined({ presence }) };
    const answer = await connection.ask(fields).catch((error) => {
      if (presence) tracker.joinFailed();
      throw error;
    });
    connection.members.add(name);
    connection.unsure.delete(name);
    if (presence === false) connection.watched.delete(name);
    if (presence && subscription.presence === tracker) session.delivery.tellPresence(subscription, tracker.joinAnswered(answer.presence));
    // If it was left since, or must start from elsewhere, the next turn of `#reconcile` sees to it.
    if (subscription.log !== log || subscription.start !== start) return;
    subscription.start = undefined;
    subscription.wasMember = true;
    if (subscription.recovered !== false) subscription.recovered = answer.recovered;
    if (log.joined(answer)) {
      subscription.recovered = false;
      session.delivery.tell(subscription, "reset", { channel: name, epoch: answer.epoch, head: answer.head });
    }
    session.delivery.handOut(subscription);
    session.changed();
    if (log.idleJoins > 0) await session.timers.sleep(IDLE_PAUSE * log.idleJoins);
  }

  /** @param {Subscription} subscription @param {Connection} connection */
  async #leave(subscription, connection) {
    await connection.ask({ action: "leave", room: roomOf(subscription.name) });
    connection.forget(subscription.name);
  }

  /** The server refuses the join. @param {Subscription} subscription @param {HubbubError} error */
  #giveUp(subscription, error) {
    const { name, wasMember, isWatched, log } = subscription;
    if (wasMember && isWatched && error.code === "not_allowed") return this.#unwatch(subscription, error);
    this.unfollow(subscription, error);
    if (wasMember) this.#session.delivery.tell(subscription, "left", { channel: name, reason: error.code, position: log.position, error });
  }

  /** Perhaps only presence is not allowed: joins again without it. @param {Subscription} subscription @param {HubbubError} error */
  #unwatch(subscription, error) {
    subscription.isWatched = false;
    subscription.mustJoin = true;
    subscription.presence = new PresenceTracker();
    for (const connection of this.#session.connections.all) connection.watched.delete(subscription.name);
    for (const join of subscription.joins.splice(0)) join.reject(error);
  }

  /** Resolves the joins that are complete. If all channels are, the client is live and a move is complete. @param {Subscription} [subscription] */
  #settle(subscription) {
    const connection = this.#session.connections.current;
    if (!connection) return;
    const isSettled = (/** @type {Subscription} */ one) => connection.members.has(one.name) && !one.isReconciling;
    if (subscription?.isFollowed && isSettled(subscription)) {
      const { epoch, seq } = /** @type {api.Position} */ (subscription.log.head);
      const presence = subscription.presence.known;
      const { name, recovered } = subscription;
      subscription.recovered = undefined;
      const joined = { channel: name, epoch, head: seq, recovered, ...(presence && { presence: copy(presence) }) };
      for (const join of subscription.joins.splice(0)) join.resolve(joined);
    }
    if (!this.all.every((one) => !one.isFollowed || isSettled(one))) return;
    this.#session.setStatus("live");
    this.#session.connections.retireOld();
  }

  /** The client is closed. @param {HubbubError} why @param {HubbubError} [error] ends the loops with it */
  end(why, error) {
    for (const { joins, streams } of new Set([...this.all, this.inbox])) {
      for (const join of joins.splice(0)) join.reject(why);
      for (const stream of [...streams]) stream.end(error);
    }
  }
}
