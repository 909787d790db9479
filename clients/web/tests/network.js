/**
 * Sockets in memory, between clients and a fake server.
 *
 * The network knows when nothing is on its way, so a test never races with real time. `carry` says how long a frame takes: one turn of the
 * event loop here, some fake time in the simulation.
 */

import { subject, tokenOf } from "./fake-server.js";

/** Lets everything run that is ready. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Frames keep their order in each direction, and take one turn of the event loop, or up to `maxTurns` random ones. */
export class Network {
  #underWay = 0;
  #random;
  #maxTurns;

  /** @param {{random?: () => number, maxTurns?: number}} [options] */
  constructor({ random = () => 0, maxTurns = 1 } = {}) {
    this.#random = random;
    this.#maxTurns = maxTurns;
  }

  /** One direction of a socket: carries each call to the other end, after the calls before it. */
  carry = () => {
    let last = Promise.resolve();
    return (run) => {
      this.#underWay += 1;
      const before = last;
      last = this.#arrive(before, run);
    };
  };

  async #arrive(before, run) {
    await before;
    for (let turns = 1 + Math.floor(this.#random() * this.#maxTurns); turns > 0; turns -= 1) await turn();
    this.#underWay -= 1;
    run();
  }

  /** Waits until nothing is on its way, and everyone has done what there was to do. */
  async quiet() {
    do await turn();
    while (this.#underWay > 0);
  }
}

/**
 * The `WebSocket` of clients of this server.
 * @param {import("./fake-server.js").FakeServer} server
 * @param {{toServer: () => (run: () => void) => void, toClient: () => (run: () => void) => void, isRefused?: () => boolean}} ways
 */
export function memorySockets(server, { toServer, toClient, isRefused = () => server.refusal !== null }) {
  return class MemorySocket {
    #send = toServer();
    #bring = toClient();
    #connection = null;
    #isOver = false;

    constructor(address, protocols = []) {
      const { pathname, search } = new URL(address);
      this.#send(() => this.#arrive(pathname + search, protocols));
    }

    #arrive(url, protocols) {
      if (this.#isOver) return;
      if (isRefused()) return this.#bring(() => this.#broken());
      const token = tokenOf(url, protocols);
      const transport = {
        send: (text) => this.#bring(() => this.#isOver || this.onmessage?.({ data: text })),
        close: (code) => this.#bring(() => this.#broken(code)),
      };
      this.#connection = server.accept(subject(token), transport, { token, url });
      this.#bring(() => this.#isOver || this.onopen());
    }

    #broken(code) {
      if (this.#isOver) return;
      this.#isOver = true;
      this.onclose?.({ code: code || 1006, reason: "" });
    }

    send(text) {
      this.#send(() => this.#connection.hear(text));
    }

    close() {
      this.#isOver = true;
      this.#send(() => this.#connection?.gone());
    }
  };
}
