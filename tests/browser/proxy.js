/** A proxy for the stack's sockets that a test can cut. */

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  #sockets = new Set();
  #server;
  #upstream;
  port = 0;

  static async before(upstreamPort) {
    const proxy = new Proxy();
    proxy.#upstream = upstreamPort;
    await proxy.open();
    return proxy;
  }

  /** Lets connections through (again), always at the same port. */
  async open() {
    this.#server = createServer((client) => {
      const server = connect(this.#upstream, "127.0.0.1");
      for (const [from, to] of [
        [client, server],
        [server, client],
      ]) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    this.#server.listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = this.#server.address().port;
  }

  /** Cuts the open connections. New ones get through. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Cuts the open connections, and lets none through until it is opened again. */
  async close() {
    if (!this.#server.listening) return;
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }
}
