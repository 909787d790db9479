/**
 * The frames of the wire contract, as types. sdk/wire.d.ts is generated from the contract's JSON Schemas, so `tsc` checks every read of a
 * frame against them.
 */

/** @import { ClientFrame, Message, ServerFrame } from "../sdk/wire.js" */

/** Each server frame by its `type`. @typedef {{[Frame in ServerFrame as Frame["type"]]: Frame}} Frames */
/** Each client frame by its `action`. @typedef {{[Frame in ClientFrame as Frame["action"]]: Frame}} Actions */

/**
 * The answer to each action.
 * @typedef {{join: Frames["joined"], leave: Frames["left"], publish: Frames["accepted"], direct: Frames["accepted"],
 *   signal: Frames["signalled"], history: Frames["history"], who: Frames["members"], ping: Frames["pong"]} &
 *   Record<"kick" | "ban" | "unban" | "delete" | "close" | "open", Frames["command_accepted"]>} Answers
 */

/** The moderation commands. @typedef {"kick" | "ban" | "unban" | "delete" | "close" | "open"} Command */

/**
 * What is asked, without the fields that are added on the way: `ref`, and a body, which is written as text once.
 * @template {keyof Actions} Action
 * @typedef {{[Name in Action]: WithoutAdded<Actions[Name]>}[Action]} Request
 */

/** Takes the alternatives of a union one by one. @template Frame @typedef {Frame extends unknown ? Omit<Frame, "ref" | "body"> : never} WithoutAdded */

/** An entry of a log. There may be others: a client passes over an entry of a kind that it doesn't know. @typedef {Message} Entry */

/** The text of a frame. @param {object} fields @param {string} [body] JSON text */
export function frameText(fields, body) {
  const text = JSON.stringify(fields);
  return body === undefined ? text : `${text.slice(0, -1)},"body":${body}}`;
}

/** A room's channel by its id on the wire, any other channel by its name. @param {string} name @returns {{room: string} | {channel: string}} */
export function target(name) {
  return name.startsWith("room:") ? { room: roomOf(name) } : { channel: name };
}

/** A room's id. @param {string} name the room's channel */
export function roomOf(name) {
  return name.slice("room:".length);
}
