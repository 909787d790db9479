/** A clock that a test turns, conditions that are waited for with a deadline, and a client on a fake server. */

import { setTimeout as realSleep } from "node:timers/promises";
import WebSocket from "ws";
import { connect } from "hubbub-client";
import { FakeServer } from "./fake-server.js";

export class FakeClock {
  #now = 1_000_000;
  #next = 1;
  /** @type {Map<number, {at: number, run: () => void}>} */
  timers = new Map();

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
    await turn();
    while (this.due <= end) {
      const [id, timer] = [...this.timers].reduce((first, one) => (one[1].at < first[1].at ? one : first));
      this.timers.delete(id);
      this.#now = Math.max(this.#now, timer.at);
      timer.run();
      await turn();
    }
    this.#now = end;
    await turn();
  }
}

/** Lets what is ready run. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Waits until something is so. */
export async function until(condition, what = String(condition)) {
  const deadline = Date.now() + 5_000;
  for (;;) {
    const value = condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`it did not come to be: ${what}`);
    await realSleep(1);
  }
}

/** Turns the clock step by step until something is so; what has to do with real sockets happens in between. */
export async function turnUntil(clock, step, condition, what = String(condition)) {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it did not come to be: ${what}`);
    await clock.advance(step);
    await realSleep(1);
  }
}

/** A token that nobody has signed. */
export function token(user = "alice", exp = 4_000_000_000) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ sub: user, exp })}.x`;
}

/**
 * A client on a fresh server, with a clock that stands still and no jitter. The channels that a client follows by default are left out,
 * unless the test is about them, so that a test's frames are its own.
 */
export async function start(test, options = {}) {
  const clock = new FakeClock();
  const server = await new FakeServer(clock.now).listen();
  const clients = [];
  const open = (more = {}) => {
    const client = connect({
      url: server.url,
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
  test.after(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });
  const client = open();
  return { client, server, clock, open };
}

/** Collects what a channel or a client tells. */
export function record(emitter, ...names) {
  const events = [];
  for (const name of names) emitter.on(name, (event) => events.push(names.length > 1 ? { name, ...event } : event));
  return events;
}

/** Whatever the client has sent by now is at the server when this is done, for frames keep their order on a socket. */
export async function atServer(client, server) {
  const pings = server.sent("ping").length;
  client.wake();
  await until(() => server.sent("ping").length > pings, "the server has a ping");
}

/** Whatever the server has sent by now is at the client when this is done. */
export async function atClient(client, room) {
  await room.who();
}

export const seqs = (messages) => messages.map(({ seq }) => seq);
