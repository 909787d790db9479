/** How an application hears of events: by listeners and by `for await` loops. */

import { HubbubError } from "./errors.js";

/** @import * as api from "../sdk/hubbub.js" */
/** @import { Subscription } from "./subscription.js" */

/** @template T @returns {{promise: Promise<T>, resolve: (value: T) => void, reject: (error: unknown) => void}} */
export function defer() {
  /** @type {any} */
  const deferred = {};
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }));
  return deferred;
}

/** Calls the listeners of an event. @type {(emitter: Emitter, name: string, event: unknown) => void} */
export let emit;

export class Emitter {
  /** @type {Map<string, Set<(event: any) => void>>} */
  #listeners = new Map();

  static {
    emit = (emitter, name, event) => {
      for (const listener of [...(emitter.#listeners.get(name) ?? [])]) {
        try {
          listener(event);
        } catch (error) {
          // An error in one listener must not keep the event from the others. The host reports it.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    };
  }

  /** @param {string} name @param {(event: any) => void} listener */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    // A function of its own, so that the same listener can be added twice and removed one by one.
    const entry = (/** @type {any} */ event) => listener(event);
    this.#listeners.set(name, listeners.add(entry));
    return () => {
      listeners.delete(entry);
    };
  }
}

/** The messages of a channel for one `for await` loop, from the start of the loop. @implements {AsyncIterator<api.Message>} */
export class Stream {
  /** @type {api.Message[]} */
  #unread = [];
  /** @type {ReturnType<typeof defer<IteratorResult<api.Message>>>[]} */
  #readers = [];
  /** @type {{error: unknown} | null} */
  #ended = null;
  #subscription;
  #maxUnread;

  /** @param {Subscription} subscription @param {number} maxUnread */
  constructor(subscription, maxUnread) {
    this.#subscription = subscription;
    this.#maxUnread = maxUnread;
    subscription.streams.add(this);
  }

  /** @param {api.Message} message */
  push(message) {
    const reader = this.#readers.shift();
    if (reader) reader.resolve({ value: message, done: false });
    else if (this.#unread.length < this.#maxUnread) this.#unread.push(message);
    else {
      this.end(new HubbubError("too_slow", `${this.#maxUnread} messages of \`${this.#subscription.name}\` waited unread: read faster, or use \`on\``));
    }
  }

  /** Ends the loop after the messages that wait, with the error if there is one. @param {unknown} [error] */
  end(error) {
    this.#ended ??= { error };
    this.#subscription.streams.delete(this);
    for (const reader of this.#readers.splice(0)) this.#finish(reader);
  }

  next() {
    const reader = defer();
    const message = this.#unread.shift();
    if (message) reader.resolve({ value: message, done: false });
    else if (this.#ended) this.#finish(reader);
    else this.#readers.push(reader);
    return reader.promise;
  }

  async return() {
    this.#unread = [];
    this.end();
    return { value: undefined, done: /** @type {const} */ (true) };
  }

  /** @param {ReturnType<typeof defer<IteratorResult<api.Message>>>} reader */
  #finish(reader) {
    const { error } = this.#ended ?? {};
    if (error === undefined) reader.resolve({ value: undefined, done: true });
    else reader.reject(error);
    this.#ended = { error: undefined }; // The error is thrown once.
  }
}
