/**
 * A server in memory that follows PROTOCOL.md. A test can make it fail: `onFrame` may take a client's frame away from it, and `onPost`
 * replaces a frame to a client.
 */

import { once } from "node:events";
import { WebSocketServer } from "ws";

export class FakeServer {
  /** All frames of clients. @type {{connection: Connection, frame: any}[]} */
  frames = [];
  /** Open connections, oldest first. @type {Connection[]} */
  connections = [];
  /** The number of connections so far. */
  connected = 0;
  /** The most entries in an answer to a join. */
  pageSize = Infinity;
  /** If set, connections are refused with this HTTP status. @type {number | null} */
  refusal = null;
  /** @type {Map<string, Channel>} */
  channels = new Map();
  /** Gets each frame first. Returns true if the server must not carry it out. @type {(connection: Connection, frame: any) => boolean | void} */
  onFrame = () => false;
  /** The frames that go to a client in place of this one. @type {(connection: Connection, frame: any) => any[]} */
  onPost = (_, frame) => [frame];

  constructor(now = () => 1_000) {
    this.now = now;
  }

  /** @param {string} name */
  channel(name) {
    const known = this.channels.get(name);
    if (known) return known;
    const channel = new Channel(name);
    this.channels.set(name, channel);
    return channel;
  }

  /** Puts an entry into a channel's log, and posts it to the members. @param {string} name */
  append(name, content, { from = "svc", id = `${from}-${this.channel(name).entries.length + 1}` } = {}) {
    const channel = this.channel(name);
    const entry = { seq: channel.head + 1, id, from, ...content, at: this.now() };
    channel.entries.push(entry);
    for (const connection of this.connections) {
      const isMember = connection.members.has(name);
      if (isMember) connection.post({ type: "message", channel: name, epoch: channel.epoch, ...entry });
      if (isMember && content.closed) connection.members.delete(name);
    }
    return entry;
  }

  /** The users in a channel, each once. @param {string} name */
  users(name) {
    return [...new Set(this.connections.filter(({ members }) => members.has(name)).map(({ user }) => user))];
  }

  /** Posts a presence update to the connections that watch. Returns their number. @param {string} name */
  announce(name, update) {
    const watchers = this.connections.filter(({ watched }) => watched.has(name));
    for (const connection of watchers) connection.post({ type: "presence", channel: name, at: this.now(), ...update });
    return watchers.length;
  }

  /** Adds a connection. @param {string} user @param {{send: (text: string) => void, close: (code: number) => void}} transport */
  accept(user, transport, details = {}) {
    const connection = new Connection(this, user, transport, details);
    this.connections.push(connection);
    this.connected += 1;
    return connection;
  }

  /** Listens with real sockets. */
  async listen() {
    const server = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      verifyClient: ({ req }, done) => done(this.refusal === null && bearer(req) !== null, this.refusal ?? 401),
      handleProtocols: (protocols) => (protocols.has("hubbub.v1") ? "hubbub.v1" : false),
    });
    server.on("connection", (socket, request) => {
      const token = bearer(request);
      const transport = { send: (text) => socket.send(text), close: (code) => (code ? socket.close(code) : socket.terminate()) };
      const connection = this.accept(subject(token), transport, { token, url: request.url, protocol: socket.protocol });
      socket.on("message", (data) => connection.hear(String(data)));
      socket.on("close", () => connection.gone());
    });
    await once(server, "listening");
    this.url = `ws://127.0.0.1:${server.address().port}/`;
    this.stop = async () => {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, "close");
    };
    return this;
  }

  /** The frames of an action, in order. @param {string} action */
  sent(action) {
    return this.frames.filter(({ frame }) => frame.action === action).map(({ frame }) => frame);
  }
}

export class Channel {
  lives = 1;
  isClosed = false;
  /** @type {any[]} */
  entries = [];
  /** Entries up to this sequence have expired. */
  expired = 0;

  constructor(name) {
    this.name = name;
  }

  get epoch() {
    return `e${this.lives}`;
  }

  get head() {
    return this.entries.length;
  }

  /** The log gets a new epoch. */
  reset() {
    this.lives += 1;
    this.entries = [];
    this.expired = 0;
  }

  /** Deletes a body. */
  erase(seq) {
    const { body, ...rest } = this.entries[seq - 1];
    this.entries[seq - 1] = { ...rest, deleted: seq };
  }
}

export class Connection {
  constructor(server, user, transport, details) {
    Object.assign(this, { server, user, transport, ...details });
    this.members = new Set([`user:${user}`, "everyone"]);
    this.watched = new Set();
    this.isOpen = true;
  }

  /** Sends a frame, or what `onPost` makes of it. */
  post(frame) {
    for (const one of this.server.onPost(this, frame)) this.send(one);
  }

  /** Sends a frame as it is. */
  send(frame) {
    if (this.isOpen) this.transport.send(JSON.stringify(frame));
  }

  /** The socket breaks, or is closed with a code. */
  cut(code = 0) {
    this.gone();
    this.transport.close(code);
  }

  gone() {
    this.isOpen = false;
    this.server.connections = this.server.connections.filter((one) => one !== this);
  }

  hear(text) {
    if (!this.isOpen) return;
    const frame = JSON.parse(text);
    this.server.frames.push({ connection: this, frame });
    if (!this.server.onFrame(this, frame)) this.answer(frame);
  }

  /** Carries a frame out, and answers it. */
  answer(frame) {
    const answer = this.carryOut(frame);
    this.post({ ...answer, ...(frame.ref !== undefined && { ref: frame.ref }) });
  }

  refuse(frame, code, more = {}) {
    this.send({ type: "error", code, message: `no: ${code}`, ...more, ref: frame.ref });
  }

  carryOut(frame) {
    const name = frame.room ? `room:${frame.room}` : (frame.channel ?? `user:${frame.to ?? frame.user}`);
    if (frame.action === "ping") {
      const hasMissed = ([one, { epoch, seq }]) => {
        const channel = this.server.channel(one);
        return !this.members.has(one) || channel.epoch !== epoch || seq < channel.head;
      };
      const rejoin = Object.entries(frame.seen ?? {}).filter(hasMissed).map(([one]) => one);
      return { type: "pong", at: this.server.now(), ...(rejoin.length > 0 && { rejoin }) };
    }
    const channel = this.server.channel(name);
    const error = (code) => ({ type: "error", code, message: `no: ${code}` });
    switch (frame.action) {
      case "join":
        if (channel.isClosed) return error("room_closed");
        this.members.add(name);
        return {
          type: "joined", channel: name, epoch: channel.epoch, head: channel.head, ...this.recover(channel, frame), ...this.watch(name, frame),
        };
      case "leave":
        this.members.delete(name);
        this.watched.delete(name);
        return { type: "left", channel: name };
      case "publish":
        if (!this.members.has(name)) return error("not_a_member");
        return this.accept(name, frame);
      case "direct":
        return this.accept(name, frame);
      case "signal": {
        if (frame.room && !this.members.has(name)) return error("not_a_member");
        const others = this.server.connections.filter((one) => one !== this && one.members.has(name));
        const signal = { type: "signal", channel: name, from: this.user, at: this.server.now(), body: frame.body };
        for (const one of others) one.post(signal);
        return { type: "signalled", channel: name, delivered: others.length };
      }
      case "history": {
        if (!this.members.has(name)) return error("not_a_member");
        const older = channel.entries.slice(channel.expired).filter(({ seq }) => seq < (frame.before ?? Infinity));
        const messages = older.slice(-(frame.limit ?? 50));
        return { type: "history", channel: name, epoch: channel.epoch, messages, more: messages.length < older.length };
      }
      case "who": {
        if (!this.members.has(name)) return error("not_a_member");
        const members = this.server.connections.filter((one) => one.members.has(name));
        return { type: "members", channel: name, count: members.length, users: this.server.users(name) };
      }
      case "kick":
      case "ban":
      case "unban":
      case "delete":
      case "close":
      case "open":
        return { type: "command_accepted", channel: name, command: frame.action, ...(frame.user && { user: frame.user }) };
      default:
        return error("unknown_action");
    }
  }

  /** Accepts a message; one with a known id is dropped. */
  accept(name, { id, body }) {
    const isKnown = this.server.channel(name).entries.some((entry) => entry.id === id && entry.from === this.user);
    if (!isKnown) this.server.append(name, { body }, { from: this.user, id });
    return { type: "accepted", id, channel: name };
  }

  watch(name, { presence }) {
    if (presence === false) this.watched.delete(name);
    if (!presence) return {};
    this.watched.add(name);
    const users = this.server.users(name);
    return { presence: { count: users.length, users } };
  }

  recover(channel, { since, epoch }) {
    if (since === undefined) return {};
    if ((epoch !== undefined && epoch !== channel.epoch) || since > channel.head || since < channel.expired) return { recovered: false };
    const missed = channel.entries.slice(since);
    const messages = missed.slice(0, this.server.pageSize);
    return { recovered: true, messages, more: messages.length < missed.length };
  }
}

function bearer({ headers, url }) {
  return tokenOf(url, headers["sec-websocket-protocol"]?.split(/, */));
}

/** The token of a handshake: a subprotocol or a query parameter. @param {string} url @param {string[]} [protocols] */
export function tokenOf(url, protocols = []) {
  const protocol = protocols.find((one) => one.startsWith("bearer."));
  return protocol?.slice("bearer.".length) ?? new URL(url, "ws://x").searchParams.get("token");
}

/** @param {string} token */
export function subject(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString()).sub;
}
