/** A local stack, started by `scripts/up`, and messages of services to it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";

const UP = fileURLToPath(new URL("../../scripts/up", import.meta.url));
const START_MS = 300_000;

export class Stack {
  #folder = mkdtempSync(join(tmpdir(), "hubbub-browser-"));
  #process;
  #sent = 0;

  /** The page's address, as `scripts/up` prints it. */
  address = "";
  /** The stack's outputs. */
  outputs = {};

  /** Starts a stack whose rooms go to the state machine above `inlineLimit` members. */
  static async start({ inlineLimit } = {}) {
    const stack = new Stack();
    stack.port = await freePort();
    stack.pagePort = await freePort();
    stack.arguments = inlineLimit === undefined ? [] : ["--inline-limit", String(inlineLimit)];
    await stack.up();
    return stack;
  }

  async up() {
    const where = ["--port", String(this.port), "--page-port", String(this.pagePort), "--dir", this.#folder];
    // Its messages are shown only if it doesn't start.
    this.#process = spawn(UP, [...where, ...this.arguments], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    this.#process.stderr.on("data", (data) => (said += data));
    const text = await new Promise((resolve, reject) => {
      let printed = "";
      const timer = setTimeout(() => reject(new Error(`scripts/up isn't up after ${START_MS} ms:\n${said}`)), START_MS);
      this.#process.stdout.on("data", (data) => {
        printed += data;
        if (!printed.includes("Send a message to that room")) return;
        clearTimeout(timer);
        resolve(printed);
      });
      this.#process.once("exit", (code) => reject(new Error(`scripts/up has ended with status ${code}:\n${said}`)));
    });
    this.address = /http:\/\/127\.0\.0\.1:\d+\/$/m.exec(text)[0];
    this.outputs = JSON.parse(readFileSync(join(this.#folder, "outputs.json"), "utf8"));
  }

  async down() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.removeAllListeners("exit");
    this.#process.kill("SIGTERM");
    await once(this.#process, "exit");
  }

  async stop() {
    await this.down();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Joins this many other users to a room, ten at a time. Returns a function that closes their sockets. */
  async crowd(room, count) {
    const page = `${this.address}page/`;
    const { url, tokenUrl } = await fetch(`${page}stack.json`).then((answer) => answer.json());
    const sockets = [];
    while (sockets.length < count) {
      const names = Array.from({ length: Math.min(10, count - sockets.length) }, (_, index) => `member-${sockets.length + index}`);
      const come = async (user) => {
        const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user }) };
        const answer = await fetch(new URL(tokenUrl, page), request);
        return await joined(url, (await answer.json()).token, room);
      };
      sockets.push(...(await Promise.all(names.map(come))));
    }
    return () => sockets.forEach((socket) => socket.close());
  }

  /** Publishes as a service, in order, ten messages in a request. */
  async publish(channel, bodies, { from = "news" } = {}) {
    const entries = bodies.map((body) => {
      const id = `${from}-${(this.#sent += 1)}`;
      const envelope = { v: 1, channel, id, from, body };
      return { Id: id, MessageGroupId: channel, MessageDeduplicationId: id, MessageBody: JSON.stringify(envelope) };
    });
    for (let first = 0; first < entries.length; first += 10) {
      const answer = await fetch(this.outputs.awsEndpoint, {
        method: "POST",
        headers: {
          "Content-Type": "application/x-amz-json-1.0",
          "X-Amz-Target": "AmazonSQS.SendMessageBatch",
          // The emulator takes the account and the service from it, and checks no signature.
          Authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
        },
        body: JSON.stringify({ QueueUrl: this.outputs.publishQueueUrl, Entries: entries.slice(first, first + 10) }),
      });
      const { Failed = [] } = await answer.json();
      if (!answer.ok || Failed.length > 0) throw new Error(`the queue has not accepted all: ${answer.status} ${JSON.stringify(Failed)}`);
    }
  }
}

/** A bare socket that has joined a room. */
async function joined(url, token, room) {
  const socket = new WebSocket(`${url}?token=${token}`);
  await once(socket, "open");
  socket.send(JSON.stringify({ action: "join", room, ref: "join" }));
  for (;;) {
    const [data] = await once(socket, "message");
    const frame = JSON.parse(data);
    if (frame.ref !== "join") continue;
    if (frame.type !== "joined") throw new Error(`not joined: ${data}`);
    return socket;
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
