/** One open socket: matches each answer to its request by `ref`. Every other frame goes to the session, in the order of arrival. */

import { connectionLost, HubbubError, serverError } from "./errors.js";
import { defer } from "./events.js";
import { frameText } from "./wire.js";

/** @import { ServerFrame } from "../sdk/wire.js" */
/** @import { Session } from "./session.js" */
/** @import { Answers, Request } from "./wire.js" */

export class Connection {
  /** The channels that this connection is known to be a member of. @type {Set<string>} */
  members = new Set();
  /** Channels whose join was sent and not answered: the server may have carried it out. @type {Set<string>} */
  unsure = new Set();
  /** Rooms whose presence changes the server sends here, as far as is known. @type {Set<string>} */
  watched = new Set();
  /** Ids of messages whose receipt will come on this socket. @type {Set<string>} */
  awaitedReceipts = new Set();
  /** It is closed as soon as it has no answer and no receipt to bring. */
  isRetiring = false;
  isOpen = true;

  #socket;
  #session;
  #lastFrameAt;
  #lastRef = 0;
  /** @type {Map<string, {resolve: (answer: any) => void, reject: (error: unknown) => void, timer: unknown}>} */
  #requests = new Map();

  /** @param {any} socket @param {Session} session */
  constructor(socket, session) {
    this.#socket = socket;
    this.#session = session;
    this.openedAt = this.#lastFrameAt = session.timers.now();
    socket.onmessage = (/** @type {{data: unknown}} */ event) => this.#receive(event.data);
    socket.onclose = (/** @type {{code: number, reason: string}} */ event) =>
      this.#end(`closed with code ${event.code}${event.reason ? `: \`${event.reason}\`` : ""}`);
    socket.onerror = () => {}; // A `close` follows each error, and browsers give no more details.
  }

  /** @param {string} channel */
  mayBeMember(channel) {
    return this.members.has(channel) || this.unsure.has(channel);
  }

  /** The connection is no longer a member, so the server sends it no presence changes either. @param {string} channel */
  forget(channel) {
    this.members.delete(channel);
    this.unsure.delete(channel);
    this.watched.delete(channel);
  }

  /** Whether an answer or a receipt is still to come. */
  get isBusy() {
    return this.#requests.size > 0 || this.awaitedReceipts.size > 0;
  }

  /**
   * Sends a request and waits for its answer.
   * @template {Request<keyof Answers>} Asked
   * @param {Asked} fields @param {string} [body] JSON text
   * @returns {Promise<Answers[Asked["action"]]>}
   */
  ask(fields, body) {
    const ref = String((this.#lastRef += 1));
    const { promise, resolve, reject } = defer();
    const { action } = fields;
    if (!this.isOpen) {
      reject(connectionLost(action));
      return promise;
    }
    const sentAt = this.#session.timers.now();
    const timer = this.#session.timers.after(this.#session.options.requestTimeout, () => {
      this.#requests.delete(ref);
      reject(new HubbubError("timeout", `\`${action}\` was not answered in time: try again`));
      // Perhaps only the answer was lost. But a socket that has brought nothing since the request is dead, even if it seems to be open.
      if (this.#lastFrameAt <= sentAt) this.abort("nothing was heard from the server");
    });
    this.#requests.set(ref, { resolve, reject: (why) => reject(connectionLost(action, why)), timer });
    this.#socket.send(frameText({ ...fields, ref }, body));
    return promise;
  }

  /** Closes the socket and counts it as closed from now on: a dead socket takes its time to report that. @param {unknown} why */
  abort(why) {
    this.#socket.onmessage = this.#socket.onclose = null;
    try {
      this.#socket.close(1000);
    } catch {
      // It was closed already.
    }
    this.#end(why);
  }

  /** @param {unknown} why */
  #end(why) {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#session.connections.lost(this, why);
    for (const { reject, timer } of this.#requests.values()) {
      this.#session.timers.cancel(timer);
      reject(why);
    }
    this.#requests.clear();
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#lastFrameAt = this.#session.timers.now();
    const frame = parse(data);
    if (!frame) return;
    const ref = "ref" in frame ? frame.ref : undefined;
    const request = ref === undefined || frame.type === "closing" ? undefined : this.#requests.get(ref);
    if (!request || ref === undefined) {
      // A frame with a `ref` but no request is an answer that comes too late.
      if (ref === undefined || frame.type === "closing") this.#session.receive(this, frame);
      return;
    }
    this.#requests.delete(ref);
    this.#session.timers.cancel(request.timer);
    if (frame.type === "error") request.reject(serverError(frame));
    else request.resolve(frame);
    this.#session.connections.closeIfDone(this);
  }
}

/** @param {unknown} data @returns {ServerFrame | null} */
function parse(data) {
  try {
    const frame = JSON.parse(String(data));
    return typeof frame === "object" ? frame : null;
  } catch {
    return null;
  }
}
