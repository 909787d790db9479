/** What a client does by itself: it reconciles what is followed with what its socket is a member of. */

import { asHubbubError, HubbubError, notJoined } from "./errors.js";
import { defer, emit, Stream } from "./events.js";
import { Link } from "./link.js";
import { isMessage, Log, toMessage } from "./log.js";
import { bodyText, checkSize, Outbox } from "./outbox.js";
import { copy, Roster } from "./presence.js";
import { checkState, checkUrl, DEFAULTS, HOST_CLOCK, withoutUndefined } from "./settings.js";
import { Time } from "./time.js";
import { frameText } from "./wire.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Channel, Client } from "./client.js" */
/** @import { Entry } from "./log.js" */
/** @import { News } from "./presence.js" */
/** @import { Defaults } from "./settings.js" */
/** @import { Wire } from "./wire.js" */

/** The pause after a join that brought nothing new; the next ones are multiples of it. */
const IDLE_PAUSE = 100;
/** The most channels that a ping may ask about. */
const MAX_SEEN = 100;
/** The most signals that are remembered. */
const MAX_SIGNALS = 100;

/** A channel as the session sees it. */
export class Feed {
  /** The application wants its messages. */
  isFollowed = false;
  /** It has been followed so far that losing it is news. */
  wasMember = false;
  /** A join is due, whatever the log says. */
  mustJoin = false;
  /** From where the next join starts; from the known position if nowhere. @type {api.Since | undefined} */
  start;
  /** The application wants to be told who comes and goes. */
  isWatched = false;
  roster = new Roster();
  /** Somebody reconciles it. */
  isAttended = false;
  /** Whether what was asked for could be given, in the joins that somebody waits for. @type {boolean | undefined} */
  recovered;
  /** Why it isn't followed any more. @type {HubbubError | null} */
  gone = null;
  /** Those who wait for the join. @type {ReturnType<typeof defer<api.Joined>>[]} */
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
}

/** Everything that a client does by itself. */
export class Session {
  /** @type {api.Status} */
  status = "connecting";

  #client;
  #outbox = new Outbox(this);
  #state;
  /** @type {Map<string, Feed>} */
  #feeds = new Map();
  /** The latest signals, and which socket has brought them first: during a move both do. @type {Map<string, Wire>} */
  #signals = new Map();
  /** Resolved and renewed when something that is waited for may have changed. */
  #change = defer();
  /** Why it is over. @type {HubbubError | null} */
  ended = null;
  #wake = () => this.wake();

  /** @param {Client} client @param {api.Options} options */
  constructor(client, options) {
    checkUrl(options);
    this.options = /** @type {api.Options & Defaults} */ ({ ...DEFAULTS, ...withoutUndefined(options) });
    this.#client = client;
    this.time = new Time(options.clock ?? HOST_CLOCK);
    this.random = options.random ?? Math.random;
    this.link = new Link(this, options);
    this.#state = checkState(options.state ?? {});
    this.inbox = new Feed("user:", this.#newLog());
    this.everyone = this.feed("everyone");
    this.inbox.isFollowed = options.inbox ?? true;
    this.everyone.isFollowed = options.everyone ?? true;
    for (const name of Object.keys(this.#state)) if (name.startsWith("room:")) this.feed(name);
    // After the caller's turn, so that its listeners and joins are there first.
    queueMicrotask(() => this.link.dial());
    this.#beat();
    /** @type {any} */ (globalThis).addEventListener?.("online", this.#wake);
  }

  get user() {
    return this.link.user;
  }

  #changed() {
    this.#change.resolve(undefined);
    this.#change = defer();
  }

  // The connection.

  /** Looks after the connection now: what waits for a better moment is tried, and an open socket is asked if it is alive. */
  wake() {
    if (this.ended) return;
    if (this.link.wire) this.#ping(this.link.wire);
    else this.link.hurry();
  }

  /** The user is known now, and with it the name of their channel. @param {string} user */
  introduce(user) {
    this.inbox.name = `user:${user}`;
    this.#feeds.set(this.inbox.name, this.inbox);
    const position = this.#state[this.inbox.name];
    if (position && this.inbox.isFollowed) this.#resume(this.inbox, position);
    // Another user's inbox is none of this one's business.
    this.#state = {};
  }

  /** There is a fresh socket. */
  arrived() {
    const hasMissed = [...this.#feeds.values()].some((feed) => feed.wasMember);
    if (this.status !== "live") this.setStatus(hasMissed ? "recovering" : "connecting");
    this.#attendAll();
    this.#changed();
  }

  /** The socket that was used is gone; the one before it may be used again. @param {unknown} why */
  departed(why) {
    if (this.link.wire) this.#attendAll();
    else this.setStatus("offline", new HubbubError("connection_lost", `the connection was lost: ${why}`));
    this.#changed();
  }

  /** What the sockets bring by themselves. @param {Wire} wire @param {any} frame */
  take(wire, frame) {
    if (frame.type === "message") this.#receive(frame.channel, frame.epoch, [frame]);
    else if (frame.type === "messages") this.#receive(frame.channel, frame.epoch, frame.messages);
    else if (frame.type === "left") this.#expelled(wire, frame);
    else if (frame.type === "closing") this.link.closing(wire, frame);
    else if (frame.type === "receipt") {
      const { type, ref, ...receipt } = frame;
      wire.owed.delete(frame.id);
      this.#tell(this.#feeds.get(frame.channel), "receipt", receipt);
      this.link.dismissIfDone(wire);
    } else if (frame.type === "presence") this.#hearNews(frame.channel, frame);
    else if (frame.type === "signal") this.#hearSignal(wire, frame);
  }

  // Pings.

  /** The sockets are kept from being idle, and what was lost without leaving a gap is found. */
  #beat() {
    this.time.after(this.options.pingEvery, () => {
      this.#beat();
      for (const wire of this.link.wires) this.#ping(wire);
    });
  }

  /** @param {Wire} wire */
  #ping(wire) {
    const seen = Object.entries(this.state);
    for (let from = 0; from === 0 || from < seen.length; from += MAX_SEEN) {
      const part = seen.slice(from, from + MAX_SEEN);
      wire.ask({ action: "ping", ...(part.length > 0 && { seen: Object.fromEntries(part) }) }).then(
        (pong) => this.#rejoin(pong.rejoin ?? []),
        () => {}, // A socket that doesn't answer is given up by itself, and the next ping asks again.
      );
    }
  }

  /** The server has more in these channels than was seen. @param {string[]} names */
  #rejoin(names) {
    for (const name of names) {
      const feed = this.#feeds.get(name);
      if (!feed?.isFollowed) continue;
      feed.mustJoin = true;
      // It may be that the connection isn't a member any more, and then it isn't told who comes and goes either.
      feed.roster.isStale = true;
      this.#attend(feed);
    }
  }

  // Channels.

  /** How far the client has come. @returns {api.State} */
  get state() {
    // What is imported for the inbox waits until the user is known.
    const state = { ...this.#state };
    for (const { name, isFollowed, log } of this.#feeds.values()) {
      if (isFollowed && log.position) state[name] = { ...log.position };
    }
    return state;
  }

  #newLog(/** @type {api.Position | null} */ position = null) {
    return new Log(this.options.maxHeld, position);
  }

  /** @param {string} name */
  feed(name) {
    const known = this.#feeds.get(name);
    if (known) return known;
    const feed = new Feed(name, this.#newLog());
    this.#feeds.set(name, feed);
    const position = this.#state[name];
    if (position) this.#resume(feed, position);
    return feed;
  }

  /** Goes on from an imported position, once. @param {Feed} feed @param {api.Position} position */
  #resume(feed, position) {
    delete this.#state[feed.name];
    if (feed.log.position === null) feed.log = this.#newLog(position);
    feed.isFollowed = feed.wasMember = true;
  }

  /** @param {Feed} feed @param {api.JoinOptions} options @returns {Promise<api.Joined>} */
  follow(feed, { since, epoch, presence }) {
    if (this.ended) return Promise.reject(this.ended);
    if (!feed.isFollowed) feed.log = this.#newLog();
    feed.isFollowed = feed.mustJoin = true;
    feed.gone = null;
    if (presence !== undefined) feed.isWatched = presence;
    if (presence !== undefined) feed.roster = presence ? feed.roster : new Roster();
    if (presence) feed.roster.isStale = true;
    if (since !== undefined) feed.start = epoch === undefined ? { since } : { since, epoch };
    const join = defer();
    feed.joins.push(join);
    this.#attend(feed);
    return join.promise;
  }

  /** @param {Feed} feed */
  async leave(feed) {
    this.#unfollow(feed, new HubbubError("not_a_member", `\`${feed.name}\` was left: join it first`));
    this.#attend(feed);
    while (!feed.isFollowed && this.link.wire?.mayBeMember(feed.name)) await this.#change.promise;
  }

  /** What was known of the channel is forgotten; loops over it end. @param {Feed} feed @param {HubbubError} why */
  #unfollow(feed, why) {
    feed.isFollowed = feed.wasMember = feed.mustJoin = feed.isWatched = false;
    feed.gone = why;
    feed.start = undefined;
    feed.log = this.#newLog();
    feed.roster = new Roster();
    for (const join of feed.joins.splice(0)) join.reject(why);
    for (const stream of [...feed.streams]) stream.end();
    this.#changed();
  }

  #attendAll() {
    for (const feed of this.#feeds.values()) this.#attend(feed);
    this.#settle();
  }

  /** Makes the socket a member of what is followed, and of no other room, and fetches what is missing. One does it for each channel. */
  async #attend(/** @type {Feed} */ feed) {
    if (feed.isAttended) return;
    feed.isAttended = true;
    let failures = 0;
    for (let wire; (wire = this.link.wire) && !this.ended; ) {
      const isMember = wire.members.has(feed.name);
      const mustLeave = !feed.isFollowed && wire.mayBeMember(feed.name) && feed.name.startsWith("room:");
      const mustJoin = feed.isFollowed && (!isMember || feed.mustJoin || feed.log.needsJoin || whatToWatch(feed, wire) !== undefined);
      if (!mustLeave && !mustJoin) break;
      try {
        await (mustJoin ? this.#join(feed, wire) : this.#leave(feed, wire));
        failures = 0;
      } catch (error) {
        if (this.ended) break;
        const pause = this.retryPause(asHubbubError(error), wire, failures++);
        if (pause !== undefined) await this.time.sleep(pause);
        else if (mustJoin) {
          if (!isMember) wire.leave(feed.name);
          this.#giveUp(feed, asHubbubError(error));
        } else wire.leave(feed.name);
      }
    }
    feed.isAttended = false;
    this.#settle(feed);
    this.#changed();
  }

  /**
   * How long to wait before the same may be tried again; nothing if it is of no use. A `retryMs` counts only with `too_fast`: `banned` has
   * one of hours.
   * @param {HubbubError} error @param {Wire} wire @param {number} failures @returns {number | undefined}
   */
  retryPause({ code, retryMs }, wire, failures) {
    if (code === "not_connected") wire.kill("the server doesn't know this connection any more");
    // Where the connection is still there, an answer has come that makes no sense, and another may do so too.
    if (code === "connection_lost" || code === "not_connected") return wire.isOpen ? this.link.backoff(failures) : 0;
    if (code === "too_fast") return retryMs ?? this.link.backoff(failures);
    return code === "unavailable" || code === "timeout" ? this.link.backoff(failures) : undefined;
  }

  /** @param {Feed} feed @param {Wire} wire */
  async #join(feed, wire) {
    const { log, start, roster } = feed;
    feed.mustJoin = false;
    const presence = whatToWatch(feed, wire);
    if (presence) {
      roster.asked();
      wire.watched.add(feed.name);
    }
    wire.unsure.add(feed.name);
    const answer = await wire.ask({ action: "join", ...target(feed.name), ...log.join(start), ...withoutUndefined({ presence }) }).catch((error) => {
      if (presence) roster.unanswered();
      throw error;
    });
    wire.members.add(feed.name);
    wire.unsure.delete(feed.name);
    if (presence === false) wire.watched.delete(feed.name);
    if (presence && feed.roster === roster) this.#tellPresence(feed, roster.answered(answer.presence));
    // It was left meanwhile, or is to start from elsewhere: the next turn of the loop sees to it.
    if (feed.log !== log || feed.start !== start) return;
    feed.start = undefined;
    feed.wasMember = true;
    if (feed.recovered !== false) feed.recovered = answer.recovered;
    if (log.joined(answer)) {
      feed.recovered = false;
      this.#tell(feed, "reset", { channel: feed.name, epoch: answer.epoch, head: answer.head });
    }
    this.#handOut(feed);
    this.#changed();
    if (log.idleJoins > 0) await this.time.sleep(IDLE_PAUSE * log.idleJoins);
  }

  /** @param {Feed} feed @param {Wire} wire */
  async #leave(feed, wire) {
    await wire.ask({ action: "leave", room: roomOf(feed.name) });
    wire.leave(feed.name);
  }

  /** A channel may not be joined. @param {Feed} feed @param {HubbubError} error */
  #giveUp(feed, error) {
    const { wasMember, log } = feed;
    if (wasMember && feed.isWatched && error.code === "not_allowed") return this.#unwatch(feed, error);
    this.#unfollow(feed, error);
    if (wasMember) this.#tell(feed, "left", { channel: feed.name, reason: error.code, position: log.position, error });
  }

  /** One may not know who is there, and perhaps be there all the same: the next join asks. @param {Feed} feed @param {HubbubError} error */
  #unwatch(feed, error) {
    feed.isWatched = false;
    feed.mustJoin = true;
    feed.roster = new Roster();
    for (const wire of this.link.wires) wire.watched.delete(feed.name);
    for (const join of feed.joins.splice(0)) join.reject(error);
  }

  /** Something may be complete: a join that is waited for, the recovery, or a move. @param {Feed} [feed] */
  #settle(feed) {
    const wire = this.link.wire;
    if (!wire) return;
    const isSettled = (/** @type {Feed} */ one) => wire.members.has(one.name) && !one.isAttended;
    if (feed?.isFollowed && isSettled(feed)) {
      const { epoch, seq } = /** @type {api.Position} */ (feed.log.head);
      const presence = feed.roster.known;
      const joined = { channel: feed.name, epoch, head: seq, recovered: feed.recovered, ...(presence && { presence: copy(presence) }) };
      feed.recovered = undefined;
      for (const join of feed.joins.splice(0)) join.resolve(joined);
    }
    if (![...this.#feeds.values()].every((one) => !one.isFollowed || isSettled(one))) return;
    this.setStatus("live");
    this.link.letGo();
  }

  /** @param {string} name @param {string} epoch @param {Entry[]} entries */
  #receive(name, epoch, entries) {
    const feed = this.#feeds.get(name);
    if (!feed?.isFollowed) return;
    feed.log.receive(epoch, entries);
    this.#handOut(feed);
    if (feed.log.needsJoin) this.#attend(feed);
  }

  /** Hands out what has its turn, until a listener leaves the channel. @param {Feed} feed */
  #handOut(feed) {
    const { log } = feed;
    for (let taken; feed.log === log && (taken = log.take()); ) {
      const { epoch, entry } = taken;
      this.#outbox.see(feed.name, entry);
      const at = { channel: feed.name, epoch, seq: entry.seq, by: entry.from, at: entry.at };
      if (isMessage(entry)) {
        const message = toMessage(feed.name, epoch, entry);
        this.#tell(feed, "message", message);
        for (const stream of [...feed.streams]) stream.push(message);
      } else if (entry.deleted !== undefined) {
        this.#tell(feed, "deleted", { ...at, seq: entry.deleted });
      } else if (entry.closed !== undefined) {
        // A join was answered after this: the room is open again, and the connection is a member.
        const isReopened = log.head?.epoch === epoch && entry.seq <= log.head.seq;
        this.#tell(feed, "closed", { ...at, isErased: entry.closed === "erased", isReopened });
        if (!isReopened && feed.log === log) this.#roomClosed(feed);
      }
    }
  }

  /** @param {Feed} feed */
  #roomClosed(feed) {
    for (const wire of this.link.wires) wire.leave(feed.name);
    this.#unfollow(feed, new HubbubError("room_closed", `\`${feed.name}\` is closed`));
  }

  /** Somebody made the user leave. @param {Wire} wire @param {{channel: string, reason?: string}} frame */
  #expelled(wire, { channel, reason = "kicked" }) {
    wire.leave(channel);
    const feed = this.#feeds.get(channel);
    // An old socket's news are old where the new one has been joined since.
    if (!feed?.isFollowed || this.link.wire?.members.has(channel)) return;
    const { position } = feed.log;
    this.#unfollow(feed, new HubbubError(reason, `\`${this.user}\` was ${reason} from \`${channel}\``));
    this.#tell(feed, "left", { channel, reason, position });
  }

  // Beside the messages.

  /** @param {string} name @param {News} news */
  #hearNews(name, news) {
    const feed = this.#feeds.get(name);
    if (!feed?.isWatched) return;
    this.#tellPresence(feed, feed.roster.take(news));
  }

  /** @param {Feed} feed @param {object | null} change */
  #tellPresence(feed, change) {
    if (change) this.#tell(feed, "presence", { channel: feed.name, ...change });
  }

  /** @param {Wire} wire @param {api.Signal} frame */
  #hearSignal(wire, { channel, from, at, body }) {
    const feed = this.#feeds.get(channel);
    const key = JSON.stringify([channel, from, at, body]);
    const isDouble = (this.#signals.get(key) ?? wire) !== wire;
    if (!isDouble) this.#signals.set(key, wire);
    for (const oldest of this.#signals.keys()) if (this.#signals.size > MAX_SIGNALS) this.#signals.delete(oldest);
    if (feed?.isFollowed && !isDouble) this.#tell(feed, "signal", { channel, from, at, body });
  }

  /** @param {Feed | undefined} feed @param {string} name @param {unknown} event */
  #tell(feed, name, event) {
    if (feed?.channel) emit(feed.channel, name, event);
    emit(this.#client, name, event);
  }

  // What the application sends.

  /**
   * Waits for a socket, and for a room's join if there is one.
   * @param {Feed | null} feed @param {number} [deadline] @returns {Promise<Wire>}
   */
  async ready(feed, deadline = Infinity) {
    const timer = deadline === Infinity ? undefined : this.time.after(deadline - this.time.now(), () => this.#changed());
    try {
      for (;;) {
        if (this.ended) throw this.ended;
        if (feed && !feed.isFollowed) throw feed.gone ?? notJoined(feed.name);
        const wire = this.link.wire;
        if (wire && (!feed || wire.members.has(feed.name))) return wire;
        if (this.time.now() >= deadline) throw new HubbubError("offline", "there was no connection in time: try again when the client is live");
        await this.#change.promise;
      }
    } finally {
      this.time.cancel(timer);
    }
  }

  /**
   * Asks what may go unanswered. What the server did not carry out is asked again until the time for an answer is over.
   * @param {Feed | null} feed @param {() => Record<string, unknown>} fields @param {{isRead: boolean}} kind only a read is repeated after a cut
   * @returns {Promise<any>}
   */
  async request(feed, fields, { isRead }) {
    const deadline = this.time.now() + this.options.requestTimeout;
    for (let failures = 0; ; failures += 1) {
      const wire = await this.ready(feed, deadline);
      try {
        return await wire.ask(fields());
      } catch (error) {
        const { code } = /** @type {HubbubError} */ (error);
        const pause = this.retryPause(/** @type {HubbubError} */ (error), wire, failures);
        const mayRepeat = isRead || code === "too_fast" || code === "unavailable" || code === "not_connected";
        if (pause === undefined || !mayRepeat || this.time.now() + pause >= deadline) throw error;
        await this.time.sleep(pause);
      }
    }
  }

  /** Sends a moderation command. @param {Record<string, unknown>} fields @returns {Promise<api.CommandAccepted>} */
  async moderate(fields) {
    const { type, ref, ...accepted } = await this.request(null, () => fields, { isRead: false });
    return accepted;
  }

  /**
   * Sends what is only for those who are there now: at once or not at all.
   * @param {string} channel @param {Feed | null} feed @param {Record<string, unknown>} to @param {unknown} body @returns {Promise<api.Signalled>}
   */
  async signal(channel, feed, to, body) {
    if (this.ended) throw this.ended;
    if (feed && !feed.isFollowed) throw feed.gone ?? notJoined(feed.name);
    const text = bodyText(body);
    const fields = { action: "signal", ...to };
    checkSize(frameText({ ...fields, ref: "0".repeat(16) }, text));
    const lost = { channel, delivered: 0 };
    const wire = this.link.wires.find(({ members }) => !feed || members.has(feed.name));
    if (!wire) return lost;
    try {
      const { delivered } = await wire.ask(fields, text);
      return { channel, delivered };
    } catch (error) {
      const { code } = /** @type {HubbubError} */ (error);
      this.retryPause(/** @type {HubbubError} */ (error), wire, 0);
      if (code === "not_a_member" && feed?.isFollowed) this.joinAgain(feed, wire);
      else if (code !== "connection_lost" && code !== "timeout" && code !== "not_connected") throw error;
      return lost;
    }
  }

  /** @param {Feed} feed */
  stream(feed) {
    const stream = new Stream(feed, this.options.maxUnread);
    if (this.ended) stream.end();
    return stream;
  }

  /** @param {string} name @param {Record<string, unknown>} fields @param {unknown} body @param {api.PublishOptions} options */
  publish(name, fields, body, options) {
    return this.#outbox.publish(name, fields, body, options);
  }

  /** The server has forgotten that the connection is a member. @param {Feed} feed @param {Wire} wire */
  joinAgain(feed, wire) {
    wire.leave(feed.name);
    this.#attend(feed);
  }

  // The end.

  /** @param {api.Status} status @param {HubbubError} [error] */
  setStatus(status, error) {
    if (status === this.status && !error) return;
    const previous = this.status;
    this.status = status;
    emit(this.#client, "status", { status, previous, error });
  }

  /** Nothing happens after this. @param {HubbubError} [error] */
  end(error) {
    if (this.ended) return;
    this.ended = error ?? new HubbubError("closed", "the client is closed: connect anew");
    this.time.end();
    /** @type {any} */ (globalThis).removeEventListener?.("online", this.#wake);
    this.link.end(this.ended);
    this.#outbox.reject(this.ended);
    for (const feed of new Set([...this.#feeds.values(), this.inbox])) {
      for (const join of feed.joins.splice(0)) join.reject(this.ended);
      for (const stream of [...feed.streams]) stream.end(error);
    }
    this.#changed();
    this.setStatus("closed", error);
  }
}

/** What a join must say of presence: nothing if the server knows it. @param {Feed} feed @param {Wire} wire @returns {boolean | undefined} */
function whatToWatch({ name, isWatched, roster }, { watched }) {
  if (isWatched) return watched.has(name) && !roster.isStale ? undefined : true;
  return watched.has(name) ? false : undefined;
}

/** @param {string} name a room's channel */
export function roomOf(name) {
  return name.slice("room:".length);
}

/** Rooms go by their id on the wire, the other channels by their name. @param {string} name */
export function target(name) {
  return name.startsWith("room:") ? { room: roomOf(name) } : { channel: name };
}
