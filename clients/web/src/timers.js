/** Timers of one client. All waiting for time goes through them, so that closing the client ends all of it. */

import { defer } from "./events.js";

/** @import * as api from "../sdk/hubbub.js" */

export class Timers {
  #clock;
  #isOver = false;
  /** @type {Set<unknown>} */
  #timers = new Set();
  /** @type {Set<() => void>} */
  #sleepers = new Set();

  /** @param {api.Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  now() {
    return this.#clock.now();
  }

  /** @param {number} ms @param {() => void} run @returns {unknown} */
  after(ms, run) {
    /** @type {unknown} */
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  /** @param {unknown} timer */
  cancel(timer) {
    if (this.#timers.delete(timer)) this.#clock.clearTimeout(timer);
  }

  /** Returns after this time, or when the timers end. @param {number} ms @returns {Promise<void>} */
  async sleep(ms) {
    if (ms <= 0 || this.#isOver) return;
    const { promise, resolve } = /** @type {ReturnType<typeof defer<void>>} */ (defer());
    this.#sleepers.add(resolve);
    this.after(ms, resolve);
    await promise;
    this.#sleepers.delete(resolve);
  }

  end() {
    this.#isOver = true;
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
    for (const wakeUp of this.#sleepers) wakeUp();
  }
}
