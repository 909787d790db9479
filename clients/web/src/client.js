/** What an application holds; there are no rules here. */

import { Emitter } from "./events.js";
import { isMessage, toMessage } from "./log.js";
import { copy } from "./presence.js";
import { roomOf, Session, target } from "./session.js";
import { checkId, withoutUndefined } from "./settings.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Entry } from "./log.js" */
/** @import { Feed } from "./session.js" */

/** A channel of messages: the user's own, or everyone's. */
export class Channel extends Emitter {
  #session;
  #feed;

  /** @param {Session} session @param {Feed} feed */
  constructor(session, feed) {
    super();
    this.#session = session;
    this.#feed = feed;
    feed.channel = this;
  }

  get name() {
    return this.#feed.name;
  }

  get position() {
    const { isFollowed, log } = this.#feed;
    return isFollowed && log.position ? { ...log.position } : null;
  }

  /** @param {api.JoinOptions} [options] */
  join(options = {}) {
    return this.#session.follow(this.#feed, options);
  }

  /** @param {api.HistoryOptions} [options] @returns {Promise<api.History<any>>} */
  async history({ before, limit } = {}) {
    const page = await this.#session.request(
      this.name.startsWith("room:") ? this.#feed : null,
      () => ({ action: "history", ...target(this.name), ...withoutUndefined({ before, limit }) }),
      { isRead: true },
    );
    /** @type {Entry[]} */
    const entries = page.messages;
    const messages = entries.filter(isMessage).map((entry) => toMessage(page.channel, page.epoch, entry));
    // Told by the page's first entry, which may be one that isn't a message.
    return { channel: page.channel, epoch: page.epoch, messages, before: page.more && entries[0] ? entries[0].seq : null };
  }

  [Symbol.asyncIterator]() {
    return this.#session.stream(this.#feed);
  }
}

/** A room. */
export class Room extends Channel {
  #session;
  #feed;

  /** @param {Session} session @param {Feed} feed */
  constructor(session, feed) {
    super(session, feed);
    this.#session = session;
    this.#feed = feed;
  }

  get id() {
    return roomOf(this.name);
  }

  /** @param {unknown} body @param {api.PublishOptions} [options] */
  publish(body, options = {}) {
    return this.#session.publish(this.name, { action: "publish", room: this.id }, body, options);
  }

  leave() {
    return this.#session.leave(this.#feed);
  }

  get presence() {
    const { known } = this.#feed.roster;
    return known && copy(known);
  }

  /** @param {unknown} body */
  signal(body) {
    return this.#session.signal(this.name, this.#feed, { room: this.id }, body);
  }

  /** @returns {Promise<api.Members>} */
  async who() {
    const ask = () => ({ action: "who", room: this.id });
    const { channel, count, users } = await this.#session.request(this.#feed, ask, { isRead: true });
    return { channel, count, users };
  }

  /** @param {string} user */
  kick(user) {
    return this.#session.moderate({ action: "kick", room: this.id, user });
  }

  /** @param {string} user @param {number | Date} until */
  ban(user, until) {
    return this.#session.moderate({ action: "ban", room: this.id, user, until: Number(until) });
  }

  /** @param {string} user */
  unban(user) {
    return this.#session.moderate({ action: "unban", room: this.id, user });
  }

  /** @param {number} seq */
  delete(seq) {
    return this.#session.moderate({ action: "delete", room: this.id, seq });
  }

  /** @param {{erase?: boolean}} [options] */
  close({ erase = false } = {}) {
    return this.#session.moderate({ action: "close", room: this.id, ...(erase && { erase }) });
  }

  open() {
    return this.#session.moderate({ action: "open", room: this.id });
  }
}

/** A client. */
export class Client extends Emitter {
  #session;
  /** @type {Map<string, Room>} */
  #rooms = new Map();

  /** @param {api.Options} options */
  constructor(options) {
    super();
    this.#session = new Session(this, options);
    this.inbox = new Channel(this.#session, this.#session.inbox);
    this.everyone = new Channel(this.#session, this.#session.everyone);
  }

  get status() {
    return this.#session.status;
  }

  get user() {
    return this.#session.user;
  }

  get state() {
    return this.#session.state;
  }

  /** @param {string} id @returns {Room} */
  room(id) {
    checkId("room", id);
    const room = this.#rooms.get(id) ?? new Room(this.#session, this.#session.feed(`room:${id}`));
    this.#rooms.set(id, room);
    return room;
  }

  /** @param {string} user @param {unknown} body @param {api.PublishOptions} [options] */
  async direct(user, body, options = {}) {
    checkId("user", user);
    return this.#session.publish(`user:${user}`, { action: "direct", to: user }, body, options);
  }

  /** @param {string} user @param {unknown} body */
  async signal(user, body) {
    checkId("user", user);
    return this.#session.signal(`user:${user}`, null, { to: user }, body);
  }

  /** @param {string} user */
  kick(user) {
    return this.#session.moderate({ action: "kick", user });
  }

  /** @param {string} user @param {number | Date} until */
  ban(user, until) {
    return this.#session.moderate({ action: "ban", user, until: Number(until) });
  }

  /** @param {string} user */
  unban(user) {
    return this.#session.moderate({ action: "unban", user });
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
