/** A clock that a test turns, conditions that are waited for, and a client on a fake server. Nothing here takes real time. */

import { connect } from "hubbub-client";
import { FakeServer } from "./fake-server.js";
import { memorySockets, Network, turn } from "./network.js";

export { turn };

/** How long a condition is waited for: turns of the event loop, so a slow host makes no difference. */
const MAX_TURNS = 20_000;

/**
 * Each frame takes up to 16 turns, at random by this seed, so that a test which hopes for an order of events fails. The same seed gives the
 * same order. 0 stands for one turn each. `npm run test:steady` tries many seeds.
 */
const JITTER = Number(process.env.JITTER ?? 1);
const JITTER_TURNS = 16;

/** Time passes only when a test says so, and stands still while frames are on their way. */
export class FakeClock {
  #now = 1_000_000;
  #next = 1;
  #settle;
  /** @type {Map<number, {at: number, run: () => void}>} */
  timers = new Map();

  /** @param {() => Promise<void>} [settle] lets everything happen that is due */
  constructor(settle = turn) {
    this.#settle = settle;
  }

  now = () => this.#now;
  setTimeout = (run, ms) => {
    this.timers.set(this.#next, { at: this.#now + ms, run });
    return this.#next++;
  };
  clearTimeout = (timer) => void this.timers.delete(timer);

  /** The time of the next timer. */
  get due() {
    return Math.min(...[...this.timers.values()].map(({ at }) => at));
  }

  /** Turns the clock, and lets everything happen that falls into the time. */
  async advance(ms) {
    const end = this.#now + ms;
    await this.#settle();
    while (this.due <= end) {
      const [id, timer] = [...this.timers].reduce((first, one) => (one[1].at < first[1].at ? one : first));
      this.timers.delete(id);
      this.#now = Math.max(this.#now, timer.at);
      timer.run();
      await this.#settle();
    }
    this.#now = end;
    await this.#settle();
  }
}

/** Waits until a condition holds. The time of the fake clock doesn't pass. */
export async function until(condition, what = String(condition)) {
  for (let turns = 0; turns < MAX_TURNS; turns += 1) {
    const value = condition();
    if (value) return value;
    await turn();
  }
  throw new Error(`this never became true: ${what}`);
}

/** Turns the clock step by step until a condition holds. */
export async function turnUntil(clock, step, condition, what = String(condition)) {
  for (let steps = 0; !condition(); steps += 1) {
    if (steps === MAX_TURNS) throw new Error(`this never became true: ${what}`);
    await clock.advance(step);
  }
}

/** Mulberry32: random numbers that are the same for a seed on every host. */
export function randomness(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A token that nobody has signed. */
export function token(user = "alice", exp = 4_000_000_000) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ sub: user, exp })}.x`;
}

/**
 * A client on a fresh server, with a clock that stands still and no jitter. The channels that a client follows by default are left out,
 * unless the test is about them, so that a test's frames are its own. `wrap` may replace the client's `WebSocket`.
 */
export async function start(test, { wrap = (WebSocket) => WebSocket, ...options } = {}) {
  const network = new Network(JITTER ? { random: randomness(JITTER), maxTurns: JITTER_TURNS } : {});
  const quiet = () => network.quiet();
  const clock = new FakeClock(quiet);
  const server = new FakeServer(clock.now);
  const WebSocket = wrap(memorySockets(server, { toServer: network.carry, toClient: network.carry }));
  const clients = [];
  const open = (more = {}) => {
    const client = connect({
      url: "ws://server/",
      getToken: () => token(),
      WebSocket,
      clock,
      random: () => 0.5,
      inbox: false,
      everyone: false,
      ...options,
      ...more,
    });
    clients.push(client);
    return client;
  };
  test.after(() => clients.forEach((client) => client.close()));
  return { client: open(), server, clock, open, quiet };
}

/** Collects what a channel or a client tells. */
export function record(emitter, ...names) {
  const events = [];
  for (const name of names) emitter.on(name, (event) => events.push(names.length > 1 ? { name, ...event } : event));
  return events;
}

export const seqs = (messages) => messages.map(({ seq }) => seq);
