/** Who is typing: by signals, which are sent at most every 3 s and believed for 5 s. */

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Chat } from "./chat.js" */
/** @import { Conversation } from "./conversation.js" */

const SEND_EVERY = 3_000;
const BELIEVED_FOR = 5_000;
/** After a refusal without a time, no signal is sent for this long. */
const REST = 60_000;

export class Typing {
  #chat;
  #tell;

  /** @param {Chat} chat @param {(conversation: Conversation) => void} tell that the typists have changed */
  constructor(chat, tell) {
    this.#chat = chat;
    this.#tell = tell;
  }

  /**
   * Tells the others that the user types, or has stopped.
   * @param {Conversation} conversation @param {boolean} isTyping @param {(body: unknown) => Promise<unknown>} signal
   */
  async send(conversation, isTyping, signal) {
    const { kind, id, people, gone } = conversation;
    const isAlone = id === this.#chat.user || (kind === "room" && people?.connections === null && people.users.length < 2);
    if (kind === "everyone" || gone || isAlone || this.#chat.status !== "live") return;
    const now = performance.now();
    const isKnown = isTyping ? now < conversation.typingSentAt + SEND_EVERY : conversation.typingSentAt === -Infinity;
    if (isKnown || now < conversation.typingRestsUntil) return;
    conversation.typingSentAt = isTyping ? now : -Infinity;
    try {
      await signal({ typing: isTyping });
    } catch (error) {
      const { code, retryMs } = /** @type {api.HubbubError} */ (error);
      conversation.typingRestsUntil = performance.now() + (code === "too_fast" && retryMs ? retryMs : REST);
    }
  }

  /** A signal has come. @param {Conversation} conversation @param {string} from @param {boolean} isTyping */
  receive(conversation, from, isTyping) {
    if (!isTyping) return this.stopped(conversation, from);
    conversation.typists.set(from, performance.now() + BELIEVED_FOR);
    this.#tell(conversation);
    setTimeout(() => this.stopped(conversation, from, performance.now()), BELIEVED_FOR + 10);
  }

  /** Removes a typist, unless a later signal is still believed `now`. @param {Conversation} conversation @param {string} user @param {number} [now] */
  stopped(conversation, user, now = Infinity) {
    if ((conversation.typists.get(user) ?? Infinity) > now || !conversation.typists.delete(user)) return;
    this.#tell(conversation);
  }
}
