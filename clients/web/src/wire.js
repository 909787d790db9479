/** One socket, on which an answer finds its question. */

import { connectionLost, HubbubError, serverError } from "./errors.js";
import { defer } from "./events.js";

/** @import { Session } from "./session.js" */

/** One open socket, on which an answer finds its question by `ref`. What isn't an answer goes to the session, in the order of its coming. */
export class Wire {
  /** The channels that this connection is known to be a member of. @type {Set<string>} */
  members = new Set();
  /** Those whose join was sent and not answered: it may have been done. @type {Set<string>} */
  unsure = new Set();
  /** Those of which it is told who comes and goes, as far as is known. @type {Set<string>} */
  watched = new Set();
  /** The ids of messages whose receipt is to come on this socket. @type {Set<string>} */
  owed = new Set();
  /** It is to be closed as soon as nothing is expected of it. */
  isLeaving = false;
  isOpen = true;

  #socket;
  #session;
  #heardAt;
  #asked = 0;
  /** @type {Map<string, {resolve: (answer: any) => void, reject: (error: unknown) => void, timer: unknown}>} */
  #questions = new Map();

  /** @param {any} socket @param {Session} session */
  constructor(socket, session) {
    this.#socket = socket;
    this.#session = session;
    this.openedAt = this.#heardAt = session.time.now();
    socket.onmessage = (/** @type {{data: unknown}} */ event) => this.#hear(event.data);
    socket.onclose = (/** @type {{code: number, reason: string}} */ event) =>
      this.#end(`closed with code ${event.code}${event.reason ? `: \`${event.reason}\`` : ""}`);
    socket.onerror = () => {}; // A `close` follows each error, and browsers say nothing more about it.
  }

  /** @param {string} channel */
  mayBeMember(channel) {
    return this.members.has(channel) || this.unsure.has(channel);
  }

  /** It is no longer a member, and so it is told no more. @param {string} channel */
  leave(channel) {
    this.members.delete(channel);
    this.unsure.delete(channel);
    this.watched.delete(channel);
  }

  /** Whether an answer or a receipt is still to come. */
  get isBusy() {
    return this.#questions.size > 0 || this.owed.size > 0;
  }

  /**
   * Asks, and waits for the answer.
   * @param {Record<string, unknown>} fields @param {string} [body] JSON text
   * @returns {Promise<any>}
   */
  ask(fields, body) {
    const ref = String((this.#asked += 1));
    const { promise, resolve, reject } = defer();
    if (!this.isOpen) {
      reject(connectionLost(fields));
      return promise;
    }
    const sentAt = this.#session.time.now();
    const timer = this.#session.time.after(this.#session.options.requestTimeout, () => {
      this.#questions.delete(ref);
      reject(new HubbubError("timeout", `\`${fields.action}\` was not answered in time: try again`));
      // The answer alone may have been lost. A socket that has brought nothing at all since then is dead, whatever it says.
      if (this.#heardAt <= sentAt) this.kill("nothing was heard from the server");
    });
    this.#questions.set(ref, {
      resolve,
      reject: (why) => reject(connectionLost(fields, why)),
      timer,
    });
    this.#socket.send(frameText({ ...fields, ref }, body));
    return promise;
  }

  /** Closes the socket, and treats it as closed from this moment: a dead one takes its time to say so. @param {unknown} why */
  kill(why) {
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
    this.#session.link.lost(this, why);
    for (const { reject, timer } of this.#questions.values()) {
      this.#session.time.cancel(timer);
      reject(why);
    }
    this.#questions.clear();
  }

  /** @param {unknown} data */
  #hear(data) {
    this.#heardAt = this.#session.time.now();
    const frame = parse(data);
    if (!frame) return;
    const question = frame.type === "closing" ? undefined : this.#questions.get(frame.ref);
    if (!question) {
      // An answer that has a `ref` and no question comes too late.
      if (frame.ref === undefined || frame.type === "closing") this.#session.take(this, frame);
      return;
    }
    this.#questions.delete(frame.ref);
    this.#session.time.cancel(question.timer);
    if (frame.type === "error") question.reject(serverError(frame));
    else question.resolve(frame);
    this.#session.link.dismissIfDone(this);
  }
}

/** @param {Record<string, unknown>} fields @param {string} [body] */
export function frameText(fields, body) {
  const text = JSON.stringify(fields);
  return body === undefined ? text : `${text.slice(0, -1)},"body":${body}}`;
}

/** @param {unknown} data @returns {any} */
function parse(data) {
  try {
    const frame = JSON.parse(String(data));
    return typeof frame === "object" ? frame : null;
  } catch {
    return null;
  }
}
