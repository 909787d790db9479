import type { ServerFrame } from "./wire.js";

/** The state of the connection. */
export type Status =
  /** The first socket is being opened, or the channels are being joined for the first time. */
  | "connecting"
  /** All followed channels are joined and complete. */
  | "live"
  /** There is a socket again, and the client fetches what was missed. */
  | "recovering"
  /** There is no socket. The client tries again by itself, and messages that you publish wait. */
  | "offline"
  /** The client has ended: by `close()`, by an error of the token, or because the server said not to come back. */
  | "closed";

/** A position in a channel's log. */
export interface Position {
  /** The epoch of the log that the sequence belongs to. */
  epoch: string;
  /** The sequence of the last message that was handed out. */
  seq: number;
}

/** A client's position in each of its channels, by name. Keep it as JSON, and give it to the next client as `state`. */
export type State = Record<string, Position>;

/** Where a join starts: after a sequence of an epoch, or with `{ since: 0 }` at the oldest message that is kept. */
export interface Since {
  since?: number;
  epoch?: string;
}

export interface Options {
  /** The stack's WebSocket address, `wss://…`. */
  url: string;
  /** Fetches a JSON Web Token. It is called for each socket, so a token may be short-lived. */
  getToken?: () => string | PromiseLike<string>;
  /** A token, if one is enough: the client is closed when it expires. */
  token?: string;
  /** How the token is sent; `subprotocol` by default. Only the local emulator needs `query`. Don't use that elsewhere: addresses end up in logs. */
  auth?: "subprotocol" | "query";
  /** The `state` of an earlier client. Its rooms are joined again. */
  state?: State;
  /** Whether the client follows the user's own channel; true by default. */
  inbox?: boolean;
  /** Whether the client follows everyone's channel; true by default. */
  everyone?: boolean;
  /** A `WebSocket` class for Node before 22: the one of the npm package `ws`. */
  WebSocket?: new (url: string, protocols?: string[]) => unknown;

  /** The most messages that may wait to be accepted, in all channels together; 1,000. */
  maxOutbox?: number;
  /** The most messages of a channel that are held back while one before them is missing; 1,000. */
  maxHeld?: number;
  /** The most messages that may wait in one `for await` loop; 10,000. */
  maxUnread?: number;
  /** The pause before try n is random, up to `min(backoffCap, backoffBase × 2ⁿ)`; 1,000 ms. */
  backoffBase?: number;
  /** The longest pause; 30,000 ms. */
  backoffCap?: number;
  /** How long an answer may take; 30,000 ms. */
  requestTimeout?: number;
  /** How long fetching a token or opening a socket may take; 30,000 ms each. */
  connectTimeout?: number;
  /** The time between two pings; 8 minutes, in milliseconds. */
  pingEvery?: number;
  /** The client moves to a fresh socket at a random age between these two; 90 and 115 minutes, in milliseconds. */
  moveAfter?: readonly [number, number];
  /** The clock, for tests. */
  clock?: Clock;
  /** Returns random numbers from 0 to 1 (exclusive), for tests. */
  random?: () => number;
}

export interface Clock {
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
}

/** A message, or a deleted one, which has no body. */
export type Message<Body = unknown> = WholeMessage<Body> | DeletedMessage;

interface MessageBase {
  channel: string;
  epoch: string;
  seq: number;
  id: string;
  /** A user, or a service's name. */
  from: string;
  /** When the server accepted it, in milliseconds since 1970. */
  at: number;
}

export interface WholeMessage<Body = unknown> extends MessageBase {
  body: Body;
  deleted?: undefined;
}

export interface DeletedMessage extends MessageBase {
  body?: undefined;
  deleted: true;
}

export interface PublishOptions {
  /** The message's id; a random one by default. The same id within five minutes is the same message. */
  id?: string;
  /** Asks for a `receipt` event. It comes on the socket that published, so a cut loses it. */
  receipt?: boolean;
}

/** The message is durable: it will be in the log exactly once. */
export interface Accepted {
  id: string;
  channel: string;
}

/** The moderation command is durable. It takes its place among the channel's messages. */
export interface CommandAccepted {
  channel: string;
  command: Extract<ServerFrame, { type: "command_accepted" }>["command"];
  user?: string;
}

export interface Joined {
  channel: string;
  epoch: string;
  /** The newest sequence at the time of joining. */
  head: number;
  /** Whether the server could give all that was missed; undefined if the join asked for nothing. */
  recovered: boolean | undefined;
  /** The users in a room that was joined with `presence: true`. */
  presence?: Presence;
}

export interface JoinOptions extends Since {
  /** True turns presence events on, also after each reconnect, until the room is left. False turns them off. Undefined changes nothing. */
  presence?: boolean;
}

/** The users in a room. */
export interface Presence {
  /** The number of users. While `paused`, the approximate number of connections. */
  count: number;
  /** Sorted by id; none while `paused`. */
  users: string[];
  /** The room has more than 100 members. There are no presence events until it has fewer. */
  paused: boolean;
}

/** The users in a room have changed, or are known for the first time. */
export interface PresenceChange extends Presence {
  channel: string;
  /** Users that have come since the last event; empty in the first event and after a pause. */
  joined: string[];
  /** Users that have gone since the last event; empty in the first event and after a pause. */
  left: string[];
}

/** A signal is not a message: it has no sequence, is not kept, and may get lost. */
export interface Signal {
  /** A room's channel, or the user's own. */
  channel: string;
  from: string;
  /** When the server accepted it, in milliseconds since 1970. */
  at: number;
  body: any;
}

export interface Signalled {
  channel: string;
  /** The number of connections that are known to have got it; 0 if it was dropped. */
  delivered: number;
}

export interface Members {
  channel: string;
  /** The approximate number of connections that are members. */
  count: number;
  /** The first hundred users. */
  users: string[];
}

export interface HistoryOptions {
  /** Only messages before this sequence; the newest ones by default. */
  before?: number;
  /** From 1 to 200; 50 by default. */
  limit?: number;
}

export interface History<Body = unknown> {
  channel: string;
  epoch: string;
  /** Oldest first. */
  messages: Message<Body>[];
  /** The `before` that gives the page before this one; null if this is the first page. */
  before: number | null;
}

/** A message was deleted. */
export interface Deleted {
  channel: string;
  epoch: string;
  /** The sequence of the deleted message. */
  seq: number;
  by: string;
  at: number;
}

/** The room was closed. */
export interface Closed {
  channel: string;
  epoch: string;
  seq: number;
  by: string;
  at: number;
  /** The bodies of all its messages were deleted too. */
  isErased: boolean;
  /** The room was closed while the client was away and is open again: the client is still a member. Otherwise the room is no longer followed. */
  isReopened: boolean;
}

/** The server can no longer give what was missed. The channel's messages go on from `head`, or from a little before it. */
export interface Reset {
  channel: string;
  epoch: string;
  head: number;
}

/** The channel is no longer followed, and the application did not leave it. */
export interface Left {
  channel: string;
  /** `kicked`, `banned`, or the code of the error that a join got: `banned`, `room_closed`, `not_allowed`, … */
  reason: string;
  /** The last position before that. */
  position: Position | null;
  error?: HubbubError;
}

/** The result of posting a message to all members. */
export interface Receipt {
  channel: string;
  id: string;
  seq: number;
  members: number;
  delivered: number;
  gone: number;
  failed: number;
  ms: number;
}

/** The status has changed. `offline` comes again with each try that fails. */
export interface StatusChange {
  status: Status;
  previous: Status;
  /** The reason, if something went wrong. */
  error: HubbubError | undefined;
}

export interface ChannelEvents<Body = unknown> {
  message: Message<Body>;
  deleted: Deleted;
  closed: Closed;
  reset: Reset;
  left: Left;
  receipt: Receipt;
  presence: PresenceChange;
  signal: Signal;
}

/** A client has the events of all its channels too. */
export interface ClientEvents extends ChannelEvents {
  status: StatusChange;
}

interface Listenable<Events> {
  /** Calls `listener` for each event of this name. Returns a function that ends it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
}

/**
 * A channel. Its messages come once each and in order, as `message` events and in each `for await` loop from its start. A loop ends when the
 * channel is left, the room is closed or the client is closed. It throws if the server closed the client.
 */
export interface Channel<Body = unknown> extends Listenable<ChannelEvents<Body>>, AsyncIterable<Message<Body>> {
  /** `room:<id>`, `user:<id>` or `everyone`. The inbox is `user:` until the first token is there. */
  readonly name: string;
  /** The current position; null while the channel isn't followed. */
  readonly position: Position | null;
  /** Follows the channel from its last position, or from its newest message. Resolves when all that was missed is handed out. */
  join(since?: Since): Promise<Joined>;
  /** Reads a page of the log, backwards. */
  history(options?: HistoryOptions): Promise<History<Body>>;
}

export interface Room<Body = unknown> extends Channel<Body> {
  readonly id: string;
  /** The users in the room, as last known; null unless it was joined with `presence: true`. */
  readonly presence: Presence | null;
  join(options?: JoinOptions): Promise<Joined>;
  /**
   * Sends a signal to the other members' connections, at once or never: a user types, a cursor moves. It may have 1,024 bytes, in a room of at
   * most 100 members (`too_many_members`). It is never sent again: without a connection, or if the connection breaks, `delivered` is 0. An error
   * of the server is thrown; with `too_fast`, the next signal may be sent after `retryMs`.
   */
  signal(body: unknown): Promise<Signalled>;
  /**
   * Publishes a message; while offline, it waits. Messages to one room keep the order of the calls. Resolves when the message is durable. Later
   * changes of `body` have no effect.
   */
  publish(body: Body, options?: PublishOptions): Promise<Accepted>;
  /** Stops following the room at once, and forgets the position. Resolves when the connection is no longer a member. */
  leave(): Promise<void>;
  /** Reads the members. */
  who(): Promise<Members>;
  /** Removes a user, who may come back. */
  kick(user: string): Promise<CommandAccepted>;
  /** Keeps a user out until a time (milliseconds since 1970). */
  ban(user: string, until: number | Date): Promise<CommandAccepted>;
  unban(user: string): Promise<CommandAccepted>;
  /** Deletes the body of a message. */
  delete(seq: number): Promise<CommandAccepted>;
  /** Removes everybody, and nobody may join. With `erase`, the bodies of all its messages are deleted too. */
  close(options?: { erase?: boolean }): Promise<CommandAccepted>;
  /** Opens a closed room again. */
  open(): Promise<CommandAccepted>;
}

export interface Client extends Listenable<ClientEvents> {
  readonly status: Status;
  /** The `sub` of the first token. */
  readonly user: string | undefined;
  /** The position in each followed channel. In a listener, the current message counts as seen. */
  readonly state: State;
  /** The user's own channel, with their direct messages. */
  readonly inbox: Channel<any>;
  /** Messages of services to everyone. */
  readonly everyone: Channel<any>;
  /** The room with this id, always the same object. */
  room<Body = any>(id: string): Room<Body>;
  /** Sends a direct message, with the same guarantees as `room.publish`. */
  direct(user: string, body: unknown, options?: PublishOptions): Promise<Accepted>;
  /** Sends a signal to all connections of a user, with the same limits as `room.signal`. */
  signal(user: string, body: unknown): Promise<Signalled>;
  /** Closes a user's sockets, everywhere. */
  kick(user: string): Promise<CommandAccepted>;
  /** Keeps a user out of the stack until a time (milliseconds since 1970). */
  ban(user: string, until: number | Date): Promise<CommandAccepted>;
  unban(user: string): Promise<CommandAccepted>;
  /** Connects at once, or checks that an open socket is alive. The client does it by itself when a browser comes online. */
  wake(): void;
  /** Closes the client for good. Calls that wait are rejected with the code `closed`. */
  close(): void;
}

/** The codes of the server's errors. */
export type ServerErrorCode = Extract<ServerFrame, { type: "error" }>["code"];

/** The codes of the library's own errors. */
export type ClientErrorCode =
  /** The client was closed. */
  | "closed"
  /** The socket was lost before the answer came: the server may have carried it out, or not. */
  | "connection_lost"
  /** No answer came in time: the server may have carried it out, or not. */
  | "timeout"
  /** There was no connection in time, so nothing was done. */
  | "offline"
  /** Too many messages wait to be accepted, so nothing was done. */
  | "outbox_full"
  /** The answer to a message was lost, too long ago to send it again: it may be in the log, or not. */
  | "in_doubt"
  /** A `for await` loop is too slow. */
  | "too_slow"
  /** An option is missing or wrong. */
  | "invalid_options"
  /** `getToken` failed. It is called again. */
  | "token_unavailable"
  /** The user was kicked from the room: join it again. */
  | "kicked"
  /** The token can't be read. */
  | "invalid_token"
  /** A later token is another user's. */
  | "wrong_user";

export class HubbubError extends Error {
  /** Decide by this, not by the message. */
  readonly code: ServerErrorCode | ClientErrorCode | (string & {});
  /** The milliseconds until another try may succeed, if the server knows. */
  readonly retryMs: number | undefined;
  /** The id of the message that the error is about. */
  readonly id: string | undefined;
  constructor(code: string, message: string, details?: { retryMs?: number; id?: string; cause?: unknown });
}

/** Connects, and stays connected until the client is closed. Listeners that are added and channels that are joined in the same turn miss nothing. */
export function connect(options: Options): Client;
