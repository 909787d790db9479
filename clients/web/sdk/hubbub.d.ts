/** Where the connection stands. */
export type Status =
  /** The first socket is on its way, or what is followed is being joined for the first time. */
  | "connecting"
  /** All that is followed is joined and complete. */
  | "live"
  /** There is a socket again, and what was missed is on its way. */
  | "recovering"
  /** There is no socket; the next try comes by itself. What is published waits. */
  | "offline"
  /** It is over, by `close()` or because the server closed the door. */
  | "closed";

/** How far one has come in a channel's log. */
export interface Position {
  /** The life of the log that the sequence belongs to. */
  epoch: string;
  /** The last sequence that was handed out. */
  seq: number;
}

/** How far a client has come in each of its channels, by name. Keep it as JSON, and give it to the next client as `state`. */
export type State = Record<string, Position>;

/** From where a channel is joined: a sequence with the epoch that it was seen in, or `{ since: 0 }` for all that is kept. */
export interface Since {
  since?: number;
  epoch?: string;
}

export interface Options {
  /** The stack's WebSocket address, `wss://…`. */
  url: string;
  /** Fetches a JSON Web Token; called for each socket, so that it may live as short as you like. */
  getToken?: () => string | PromiseLike<string>;
  /** A token, where one is enough: when it expires, the client is closed. */
  token?: string;
  /** How the token is sent. The local emulator answers no subprotocol: use `query` there, and nowhere else, for addresses end up in logs. */
  auth?: "subprotocol" | "query";
  /** Where an earlier client had come: its `state`. Its rooms are joined again. */
  state?: State;
  /** Whether the user's own channel is followed; true unless you say otherwise. */
  inbox?: boolean;
  /** Whether everyone's channel is followed; true unless you say otherwise. */
  everyone?: boolean;
  /** For Node before 22, which has no `WebSocket`: that of the npm package `ws`. */
  WebSocket?: new (url: string, protocols?: string[]) => unknown;

  /** Messages that may wait to be accepted, in all channels together; 1,000. */
  maxOutbox?: number;
  /** Messages of a channel that are held back while one before them is missing; 1,000. */
  maxHeld?: number;
  /** Messages that may wait in one `for await` loop; 10,000. */
  maxUnread?: number;
  /** The pause before try n is random, up to `min(backoffCap, backoffBase × 2ⁿ)`; 1,000 ms. */
  backoffBase?: number;
  /** The longest pause; 30,000 ms. */
  backoffCap?: number;
  /** How long an answer may take; 30,000 ms. */
  requestTimeout?: number;
  /** How long a token or a socket may take; 30,000 ms each. */
  connectTimeout?: number;
  /** How often the socket is kept from being idle; 8 minutes. */
  pingEvery?: number;
  /** Between these two ages, in milliseconds, a socket is left for a fresh one; 90 and 115 minutes. */
  moveAfter?: readonly [number, number];
  /** The clock, for tests. */
  clock?: Clock;
  /** Gives numbers from 0 to 1 (exclusive), for tests. */
  random?: () => number;
}

export interface Clock {
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
}

/** A message, or what is left of one that was deleted: it has no body then. */
export type Message<Body = unknown> = WholeMessage<Body> | DeletedMessage;

interface MessageBase {
  channel: string;
  epoch: string;
  seq: number;
  id: string;
  /** A user, or a service's name. */
  from: string;
  /** When the server took it, in milliseconds since 1970. */
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
  /** The message's id; a random one if it isn't given. The same id within five minutes is the same message. */
  id?: string;
  /** Asks for a `receipt` event. It comes on the socket that published: a cut loses it. */
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
  command: "kick" | "ban" | "unban" | "delete" | "close" | "open";
  user?: string;
}

export interface Joined {
  channel: string;
  epoch: string;
  /** The newest sequence at the time of joining. */
  head: number;
  /** Whether what was missed could be given; undefined if it wasn't asked for. */
  recovered: boolean | undefined;
  /** Who is there, in a room that was joined with `presence: true`. */
  presence?: Presence;
}

export interface JoinOptions extends Since {
  /** True asks to be told who comes and goes, also after each reconnect, until the room is left; false ends it. Without it, it stays as it is. */
  presence?: boolean;
}

/** Who is in a room. */
export interface Presence {
  /** How many users are there; while `paused`, about how many connections. */
  count: number;
  /** In the order of their ids; none while `paused`. */
  users: string[];
  /** The room has more than 100 members, and nobody is told who comes and goes until it has fewer. */
  paused: boolean;
}

/** Who is there has changed, or is known for the first time. */
export interface PresenceChange extends Presence {
  channel: string;
  /** Who has come since the event before; nobody where there is none to compare with: in the first, and where it is or was paused. */
  joined: string[];
  /** Who has gone since then. */
  left: string[];
}

/** Something for those who are there now. It has no place among the messages, is not kept, and may get lost. */
export interface Signal {
  /** The room's, or one's own. */
  channel: string;
  from: string;
  /** When the server took it, in milliseconds since 1970. */
  at: number;
  body: any;
}

export interface Signalled {
  channel: string;
  /** How many connections are known to have got it; 0 where it was dropped. */
  delivered: number;
}

export interface Members {
  channel: string;
  /** About how many connections are members. */
  count: number;
  /** The first hundred users. */
  users: string[];
}

export interface HistoryOptions {
  /** Only messages before this sequence; the newest ones without it. */
  before?: number;
  /** From 1 to 200; 50 without it. */
  limit?: number;
}

export interface History<Body = unknown> {
  channel: string;
  epoch: string;
  /** Oldest first. */
  messages: Message<Body>[];
  /** What to give as `before` for the page before this one; null if this is the first. */
  before: number | null;
}

/** A message was deleted. */
export interface Deleted {
  channel: string;
  epoch: string;
  /** The deleted message's. */
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
  /** The bodies of its log are gone too. */
  isErased: boolean;
  /** This happened while you were away, and it is open again: you are still a member. Otherwise the room is no longer followed. */
  isReopened: boolean;
}

/** What was missed can't be given. The channel's messages go on from `head`, or from a little before it. */
export interface Reset {
  channel: string;
  epoch: string;
  head: number;
}

/** The channel is no longer followed, and not because you left it. */
export interface Left {
  channel: string;
  /** `kicked`, `banned`, or the code of the error for which it could not be joined again: `banned`, `room_closed`, `not_allowed`, … */
  reason: string;
  /** Where it stood. */
  position: Position | null;
  error?: HubbubError;
}

/** What became of a message when it was posted to all members. */
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

/** The status has changed; `offline` comes again with each try that fails. */
export interface StatusChange {
  status: Status;
  previous: Status;
  /** Why, where something went wrong. */
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

/** A client has the events of all its channels. */
export interface ClientEvents extends ChannelEvents {
  status: StatusChange;
}

interface Listenable<Events> {
  /** Calls `listener` for each event of this name; gives a function that ends it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
}

/**
 * A channel. Its messages come once each and in order, as `message` events and to each `for await` loop from the moment that it begins.
 * A loop ends when the channel is left or closed or the client is closed, and throws if the server closed the client.
 */
export interface Channel<Body = unknown> extends Listenable<ChannelEvents<Body>>, AsyncIterable<Message<Body>> {
  /** `room:<id>`, `user:<id>` or `everyone`. The inbox has its user's id once the first token was there. */
  readonly name: string;
  /** How far one has come; null while the channel isn't followed. */
  readonly position: Position | null;
  /** Follows the channel, from where it was left or from its newest message; kept when all of what was missed was handed out. */
  join(since?: Since): Promise<Joined>;
  /** A page of the log, backwards. */
  history(options?: HistoryOptions): Promise<History<Body>>;
}

export interface Room<Body = unknown> extends Channel<Body> {
  readonly id: string;
  /** Who is there, as last known; null unless the room was joined with `presence: true`. */
  readonly presence: Presence | null;
  join(options?: JoinOptions): Promise<Joined>;
  /**
   * Sends a signal to the other members' connections, at once or never: that somebody types, where a cursor is. At most 1,024 bytes, and
   * `too_many_members` in a room of more than 100. It isn't sent again: with no connection, or if it breaks, nobody is known to have got it and
   * `delivered` is 0. What the server refuses is thrown; `too_fast` says after how many `retryMs` there may be another.
   */
  signal(body: unknown): Promise<Signalled>;
  /**
   * Publishes, when the client is there again if it is offline. Messages to one room keep the order of the calls. Kept when the message is
   * durable; a body is taken as it is at the time of the call.
   */
  publish(body: Body, options?: PublishOptions): Promise<Accepted>;
  /** Its messages end at once, and its position is forgotten; kept when the connection is not a member any more. */
  leave(): Promise<void>;
  who(): Promise<Members>;
  /** Makes a user leave; they may come back. */
  kick(user: string): Promise<CommandAccepted>;
  /** Keeps a user out until a time (milliseconds since 1970). */
  ban(user: string, until: number | Date): Promise<CommandAccepted>;
  unban(user: string): Promise<CommandAccepted>;
  /** Deletes the body of a message. */
  delete(seq: number): Promise<CommandAccepted>;
  /** Makes everybody leave, and nobody may join; with `erase` the bodies of all its messages are deleted too. */
  close(options?: { erase?: boolean }): Promise<CommandAccepted>;
  /** Opens a closed room again. */
  open(): Promise<CommandAccepted>;
}

export interface Client extends Listenable<ClientEvents> {
  readonly status: Status;
  /** The token's `sub`, once there was a token. */
  readonly user: string | undefined;
  /** How far the client has come in each channel that it follows. In a listener, the message at hand counts as seen. */
  readonly state: State;
  /** The user's own channel, with their direct messages. */
  readonly inbox: Channel<any>;
  /** What services say to everyone. */
  readonly everyone: Channel<any>;
  /** The room of this id, always the same object. */
  room<Body = any>(id: string): Room<Body>;
  /** Sends a direct message; otherwise as `room.publish`. */
  direct(user: string, body: unknown, options?: PublishOptions): Promise<Accepted>;
  /** Sends a signal to all of a user's connections; otherwise as `room.signal`. */
  signal(user: string, body: unknown): Promise<Signalled>;
  /** Closes a user's sockets, everywhere. */
  kick(user: string): Promise<CommandAccepted>;
  /** Keeps a user out of the stack until a time (milliseconds since 1970). */
  ban(user: string, until: number | Date): Promise<CommandAccepted>;
  unban(user: string): Promise<CommandAccepted>;
  /** Tries at once to connect, or asks an open socket if it is alive. Browsers that come online do it by themselves. */
  wake(): void;
  /** Ends it for good; what waits is rejected with the code `closed`. */
  close(): void;
}

/** The codes of errors that the server doesn't send. Its own are in PROTOCOL.md. */
export type ClientErrorCode =
  /** The client was closed. */
  | "closed"
  /** The socket was lost before the answer came: it may have been carried out, or not. */
  | "connection_lost"
  /** No answer came in time: it may have been carried out, or not. */
  | "timeout"
  /** There was no connection in time: nothing was done. */
  | "offline"
  /** Too many messages wait to be accepted: nothing was done. */
  | "outbox_full"
  /** A message's answer was lost too long ago to send it again: it may be in the log, or not. */
  | "in_doubt"
  /** A `for await` loop doesn't keep up. */
  | "too_slow"
  /** An option is missing or wrong. */
  | "invalid_options"
  /** `getToken` failed; it is called again. */
  | "token_unavailable"
  /** The user was kicked from the room: join it again. */
  | "kicked"
  /** The token can't be read. */
  | "invalid_token"
  /** A later token is for another user. */
  | "wrong_user";

export class HubbubError extends Error {
  /** What to do about it. */
  readonly code: ClientErrorCode | (string & {});
  /** In how many milliseconds it may be tried again, where the server knows. */
  readonly retryMs: number | undefined;
  /** The message's id, where it is about one. */
  readonly id: string | undefined;
  constructor(code: string, message: string, details?: { retryMs?: number; id?: string; cause?: unknown });
}

/** Connects, and stays connected until it is closed. Listeners and joins that are there in the same turn miss nothing. */
export function connect(options: Options): Client;
