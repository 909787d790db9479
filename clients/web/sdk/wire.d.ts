// Generated from contract/schemas by wire-types.js: change the Rust types there.

/** A client's frame. Fields that its action doesn't know are ignored. */
export type ClientFrame =
  | JoinRequest
  | LeaveRequest
  | PublishRequest
  | DirectRequest
  | SignalRequest
  | HistoryRequest
  | WhoRequest
  | KickRequest
  | BanRequest
  | UnbanRequest
  | DeleteRequest
  | CloseRequest
  | OpenRequest
  | PingRequest;

/** Make a user leave a room, and keep the user out until a moment; without a room, everywhere. */
export interface BanRequest {
  action: "ban";
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room; without it, everywhere. */
  room?: RoomId | null;
  /** The end of the ban. */
  until: Timestamp;
  /** The user. */
  user: UserId;
}

/** What a message says: any JSON value, kept as the text that was sent. */
export type Body = unknown;

/** An ordered log with members: a room, a user, or everyone. */
export type Channel = string;

/** End a room's memberships, and let nobody join. */
export interface CloseRequest {
  action: "close";
  /** Whether the bodies of its log are removed, too. */
  erase?: boolean | null;
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room. */
  room: RoomId;
}

/** Remove a message's body for good. */
export interface DeleteRequest {
  action: "delete";
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room. */
  room: RoomId;
  /** The message. */
  seq: Seq;
}

/** A message to a user. */
export interface DirectRequest {
  action: "direct";
  /** The message. */
  body: Body;
  /** The message's id; the server makes one where there is none. */
  id?: MessageId | null;
  /** Whether to post a receipt when the message was posted to all members. */
  receipt?: boolean | null;
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The user. */
  to: UserId;
}

/** One life of a channel's log. */
export type Epoch = string;

/** A page of the log, backwards from `before`. */
export type HistoryRequest = {
  action: "history";
  /** Only messages before this one; without it, the newest. */
  before?: Seq | null;
  channel?: Channel | null;
  /** The most messages. */
  limit?: number | null;
  /** Any string: the answer repeats it. */
  ref?: string | null;
  room?: RoomId | null;
} & (unknown);

/** Become a member, and get the messages that were missed. */
export type JoinRequest = {
  action: "join";
  channel?: Channel | null;
  /** The epoch in which it was seen. */
  epoch?: Epoch | null;
  /** Whether to be told who joins and leaves, which only rooms tell. Without it, nothing changes. */
  presence?: boolean | null;
  /** Any string: the answer repeats it. */
  ref?: string | null;
  room?: RoomId | null;
  /** The last sequence that was seen. */
  since?: Seq | null;
} & (unknown);

/** Make a user leave a room; without a room, everything. */
export interface KickRequest {
  action: "kick";
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room; without it, everywhere. */
  room?: RoomId | null;
  /** The user. */
  user: UserId;
}

/** Stop being a member. */
export interface LeaveRequest {
  action: "leave";
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room. */
  room: RoomId;
}

/** A message's id, unique in its channel for its sender. */
export type MessageId = string;

/** Let members join a room that was closed. */
export interface OpenRequest {
  action: "open";
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room. */
  room: RoomId;
}

/** Keep the socket open, and learn which channels to join again. */
export interface PingRequest {
  action: "ping";
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The newest message that the client saw, for each channel. */
  seen?: Record<string, Position> | null;
}

/** A client's place in a channel's log. */
export interface Position {
  /** The epoch. */
  epoch: Epoch;
  /** The last sequence that the client saw. */
  seq: Seq;
}

/** A message to a room. */
export interface PublishRequest {
  action: "publish";
  /** The message. */
  body: Body;
  /** The message's id; the server makes one where there is none. */
  id?: MessageId | null;
  /** Whether to post a receipt when the message was posted to all members. */
  receipt?: boolean | null;
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room. */
  room: RoomId;
}

/** A room's id. */
export type RoomId = string;

/** A message's place in its channel's log: 1, 2, 3, … without holes. 0 is the place before the first. */
export type Seq = number;

/** What a signal says: any JSON value. */
export type SignalBody = unknown;

/** A signal to the connections that are members now. It is not kept. */
export type SignalRequest = {
  action: "signal";
  /** The signal. */
  body: SignalBody;
  /** Any string: the answer repeats it. */
  ref?: string | null;
  room?: RoomId | null;
  to?: UserId | null;
} & (unknown);

/** A moment, in milliseconds since 1970-01-01 UTC. */
export type Timestamp = number;

/** End a ban. */
export interface UnbanRequest {
  action: "unban";
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room; without it, everywhere. */
  room?: RoomId | null;
  /** The user. */
  user: UserId;
}

/** A user's id: the `sub` of a token. Services have one too: the name by which they publish. */
export type UserId = string;

/** About how many connections are members, and the first users. */
export interface WhoRequest {
  action: "who";
  /** Any string: the answer repeats it. */
  ref?: string | null;
  /** The room. */
  room: RoomId;
}

/** A server's frame. Clients ignore fields and types that they don't know. */
export type ServerFrame =
  | MessageFrame
  | MessagesFrame
  | AcceptedFrame
  | JoinedFrame
  | PresenceFrame
  | SignalFrame
  | SignalledFrame
  | LeftFrame
  | CommandAcceptedFrame
  | ClosingFrame
  | HistoryFrame
  | MembersFrame
  | PongFrame
  | ReceiptFrame
  | ErrorFrame;

/** The message is durable. */
export interface AcceptedFrame {
  channel: Channel;
  id: MessageId;
  /** The client's `ref`. */
  ref?: string;
  type: "accepted";
}

/** Why a socket is closed. */
export type ClosingCode =
  /** The token has ended. */
  | "token_expired"
  /** The user was kicked. */
  | "kicked"
  /** The user was banned. */
  | "banned";

/** The last frame: the socket is closed. */
export interface ClosingFrame {
  code: ClosingCode;
  message: string;
  reconnect: boolean;
  type: "closing";
}

/** What becomes of the log of a room that is closed. */
export type Closure =
  /** It stays. */
  | "kept"
  /** Its bodies are gone. */
  | "erased";

/** A moderation command is durable. */
export interface CommandAcceptedFrame {
  channel: Channel;
  command: CommandName;
  /** The client's `ref`. */
  ref?: string;
  type: "command_accepted";
  user?: UserId;
}

/** The name of a moderation command. */
export type CommandName = "kick" | "ban" | "unban" | "delete" | "close" | "open";

/** The code of an error frame. PROTOCOL.md says what a client does about each. */
export type ErrorCode =
  /** The frame is not a JSON object. */
  | "not_json"
  /** The frame has no action, or an unknown one. */
  | "unknown_action"
  /** A field is missing. */
  | "missing_field"
  /** A field has the wrong type or is out of range. */
  | "wrong_field"
  /** A field holds a text that isn't an id. */
  | "invalid_id"
  /** The body is over the limit. */
  | "body_too_large"
  /** The frame is over the limit. */
  | "frame_too_large"
  /** The connection is not a member of the channel. */
  | "not_a_member"
  /** The token doesn't grant it, or the channel is another user's. */
  | "not_allowed"
  /** The connection is no longer known. */
  | "not_connected"
  /** The user is banned from the room. */
  | "banned"
  /** The room is closed. */
  | "room_closed"
  /** The user publishes faster than the stack allows. */
  | "too_fast"
  /** The connection is a member of as many rooms as it may be. */
  | "too_many_rooms"
  /** The channel has more members than signals are posted to. */
  | "too_many_members"
  /** Something outside failed; nothing was done. */
  | "unavailable";

/** The frame was not carried out. */
export interface ErrorFrame {
  code: ErrorCode;
  id?: MessageId;
  message: string;
  /** The client's `ref`. */
  ref?: string;
  /** In how many milliseconds it may be tried again. */
  retry_ms?: number;
  type: "error";
}

/** A page of the log, oldest first. */
export interface HistoryFrame {
  channel: Channel;
  epoch: Epoch;
  messages: Message[];
  more: boolean;
  /** The client's `ref`. */
  ref?: string;
  type: "history";
}

/** The connection is a member. */
export interface JoinedFrame {
  channel: Channel;
  epoch: Epoch;
  head: Seq;
  messages?: Message[];
  more?: boolean;
  /** The users who are there, if the client asked for presence. */
  presence?: Presence;
  recovered?: boolean;
  /** The client's `ref`. */
  ref?: string;
  type: "joined";
}

/** The connection is no longer a member. */
export interface LeftFrame {
  channel: Channel;
  /** Why, where it didn't leave by itself. */
  reason?: LeftReason;
  /** The client's `ref`. */
  ref?: string;
  type: "left";
}

/** Why a connection is no longer a member. */
export type LeftReason =
  /** The user was kicked from the room. */
  | "kicked"
  /** The user was banned from the room. */
  | "banned";

/** About how many connections are members, and the first users. */
export interface MembersFrame {
  channel: Channel;
  count: number;
  /** The client's `ref`. */
  ref?: string;
  type: "members";
  users: UserId[];
}

/** A message of a channel's log, as members get it. */
export type Message = {
  /** When the queue took it. */
  at: Timestamp;
  /** Who sent it. */
  from: UserId;
  /** Its id, unique in the channel for its sender. */
  id: MessageId;
  /** Its place in the log. */
  seq: Seq;
} & ({
  body: Body;
  deleted?: undefined;
  closed?: undefined;
} | {
  deleted: Seq;
  body?: undefined;
  closed?: undefined;
} | {
  closed: Closure;
  body?: undefined;
  deleted?: undefined;
});

/** One message of a channel. */
export type MessageFrame = {
  /** When the queue took it. */
  at: Timestamp;
  channel: Channel;
  epoch: Epoch;
  /** Who sent it. */
  from: UserId;
  /** Its id, unique in the channel for its sender. */
  id: MessageId;
  /** Its place in the log. */
  seq: Seq;
  type: "message";
} & ({
  body: Body;
  deleted?: undefined;
  closed?: undefined;
} | {
  deleted: Seq;
  body?: undefined;
  closed?: undefined;
} | {
  closed: Closure;
  body?: undefined;
  deleted?: undefined;
});

/** Several messages of a channel, in order. */
export interface MessagesFrame {
  channel: Channel;
  epoch: Epoch;
  messages: Message[];
  type: "messages";
}

/** The socket is alive. The client must join the channels of `rejoin` again. */
export interface PongFrame {
  at: Timestamp;
  /** The client's `ref`. */
  ref?: string;
  rejoin?: Channel[];
  type: "pong";
}

/** The users of a room. */
export interface Presence {
  /** How many users are there. In a room that is too large, about how many connections. */
  count: number;
  /** Whether the room is too large for presence. */
  paused?: boolean;
  /** The users. Left out in a room that is too large. */
  users?: UserId[];
}

/** The users of a small room have changed. */
export interface PresenceFrame {
  /** The time of the announcement; a later one is newer. */
  at: Timestamp;
  channel: Channel;
  /** How many users are there. In a room that is too large, about how many connections. */
  count: number;
  /** Whether the room is too large for presence. */
  paused?: boolean;
  type: "presence";
  /** The users. Left out in a room that is too large. */
  users?: UserId[];
}

/** The result of a message's delivery, after its round was settled. */
export interface Receipt {
  /** The channel. */
  channel: Channel;
  /** Members that got it. */
  delivered: number;
  /** Members that could not be posted to; they recover it. */
  failed: number;
  /** Members whose socket was not there. */
  gone: number;
  /** The message. */
  id: MessageId;
  /** Members that it was posted to. */
  members: number;
  /** Milliseconds from the queue to the end of its round. */
  ms: number;
  /** Its place in the log. */
  seq: Seq;
}

/** What became of a message. */
export type ReceiptFrame = {
  type: "receipt";
} & Receipt;

/** A signal to the connections that are members now. */
export interface SignalFrame {
  at: Timestamp;
  body: Body;
  channel: Channel;
  from: UserId;
  type: "signal";
}

/** A signal was posted to `delivered` connections; to none where the budget had no room for it. */
export interface SignalledFrame {
  channel: Channel;
  delivered: number;
  /** The client's `ref`. */
  ref?: string;
  type: "signalled";
}
