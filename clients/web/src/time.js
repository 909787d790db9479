/** Time. All waiting goes through it, so that its end is the end of all waiting. */

import { defer } from "./events.js";

/** @import * as api from "../sdk/hubbub.js" */

/** A clock, and who waits for it. */
export class Time {
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

  /** The end of time wakes too. @param {number} ms @returns {Promise<void>} */
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
