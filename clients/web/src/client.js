/** The objects of the API: `Client`, `Room`, `Channel`. They hold no rules. */

import { Emitter } from "./events.js";
import { isMessage, toMessage } from "./log.js";
import { copy } from "./presence.js";
import { Session } from "./session.js";
import { checkId, withoutUndefined } from "./settings.js";
import { roomOf, target } from "./wire.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Subscription } from "./subscription.js" */
/** @import { Request } from "./wire.js" */

export class Channel extends Emitter {
  #session;
  #subscription;

  /** @param {Session} session @param {Subscription} subscription */
  constructor(session, subscription) {
    super();
    this.#session = session;
    this.#subscription = subscription;
    subscription.channel = this;
  }

  get name() {
    return this.#subscription.name;
  }

  get position() {
    const { isFollowed, log } = this.#subscription;
    return isFollowed && log.position ? { ...log.position } : null;
  }

  /** @param {api.JoinOptions} [options] */
  join(options = {}) {
    return this.#session.subscriptions.follow(this.#subscription, options);
  }

  /** @param {api.HistoryOptions} [options] @returns {Promise<api.History<any>>} */
  async history({ before, limit } = {}) {
    /** @returns {Request<"history">} */
    const ask = () => ({ action: "history", ...target(this.name), ...withoutUndefined({ before, limit }) });
    // Only rooms must be joined for it.
    const { isRoom } = this.#subscription;
    const page = await this.#session.requests.send(isRoom ? this.#subscription : null, ask, { isRead: true });
    const messages = page.messages.filter(isMessage).map((entry) => toMessage(page.channel, page.epoch, entry));
    // The page's first entry may be one that isn't a message.
    return { channel: page.channel, epoch: page.epoch, messages, before: page.more && page.messages[0] ? page.messages[0].seq : null };
  }

  [Symbol.asyncIterator]() {
    return this.#session.stream(this.#subscription);
  }
}

export class Room extends Channel {
  #session;
  #subscription;

  /** @param {Session} session @param {Subscription} subscription */
  constructor(session, subscription) {
    super(session, subscription);
    this.#session = session;
    this.#subscription = subscription;
  }

  get id() {
    return roomOf(this.name);
  }

  /** @param {unknown} body @param {api.PublishOptions} [options] */
  publish(body, options = {}) {
    return this.#session.outbox.publish(this.name, { action: "publish", room: this.id }, body, options);
  }

  leave() {
    return this.#session.subscriptions.leave(this.#subscription);
  }

  get presence() {
    const { known } = this.#subscription.presence;
    return known && copy(known);
  }

  /** @param {unknown} body */
  signal(body) {
    return this.#session.requests.signal(this.name, this.#subscription, { room: this.id }, body);
  }

  /** @returns {Promise<api.Members>} */
  async who() {
    /** @returns {Request<"who">} */
    const ask = () => ({ action: "who", room: this.id });
    const { channel, count, users } = await this.#session.requests.send(this.#subscription, ask, { isRead: true });
    return { channel, count, users };
  }

  /** @param {string} user */
  kick(user) {
    return this.#session.requests.moderate({ action: "kick", room: this.id, user });
  }

  /** @param {string} user @param {number | Date} until */
  ban(user, until) {
    return this.#session.requests.moderate({ action: "ban", room: this.id, user, until: Number(until) });
  }

  /** @param {string} user */
  unban(user) {
    return this.#session.requests.moderate({ action: "unban", room: this.id, user });
  }

  /** @param {number} seq */
  delete(seq) {
    return this.#session.requests.moderate({ action: "delete", room: this.id, seq });
  }

  /** @param {{erase?: boolean}} [options] */
  close({ erase = false } = {}) {
    return this.#session.requests.moderate({ action: "close", room: this.id, ...(erase && { erase }) });
  }

  open() {
    return this.#session.requests.moderate({ action: "open", room: this.id });
  }
}

export class Client extends Emitter {
  #session;
  /** @type {Map<string, Room>} */
  #rooms = new Map();

  /** @param {api.Options} options */
  constructor(options) {
    super();
    this.#session = new Session(this, options);
    this.inbox = new Channel(this.#session, this.#session.subscriptions.inbox);
    this.everyone = new Channel(this.#session, this.#session.subscriptions.everyone);
  }

  get status() {
    return this.#session.status;
  }

  get user() {
    return this.#session.user;
  }

  get state() {
    return this.#session.subscriptions.state;
  }

  /** @param {string} id @returns {Room} */
  room(id) {
    checkId("room", id);
    const room = this.#rooms.get(id) ?? new Room(this.#session, this.#session.subscriptions.of(`room:${id}`));
    this.#rooms.set(id, room);
    return room;
  }

  /** @param {string} user @param {unknown} body @param {api.PublishOptions} [options] */
  async direct(user, body, options = {}) {
    checkId("user", user);
    return this.#session.outbox.publish(`user:${user}`, { action: "direct", to: user }, body, options);
  }

  /** @param {string} user @param {unknown} body */
  async signal(user, body) {
    checkId("user", user);
    return this.#session.requests.signal(`user:${user}`, null, { to: user }, body);
  }

  /** @param {string} user */
  kick(user) {
    return this.#session.requests.moderate({ action: "kick", user });
  }

  /** @param {string} user @param {number | Date} until */
  ban(user, until) {
    return this.#session.requests.moderate({ action: "ban", user, until: Number(until) });
  }

  /** @param {string} user */
  unban(user) {
    return this.#session.requests.moderate({ action: "unban", user });
  }

  wake() {
    this.#session.wake();
  }

  close() {
    this.#session.end();
  }
}

/** @type {(options: api.Options) => api.Client} */
export const connect = (options) => new Client(options);
