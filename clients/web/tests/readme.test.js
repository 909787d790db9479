/** The README is true: its example runs, and its size is right. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { connect } from "hubbub-client";
import { FakeServer } from "./fake-server.js";
import { memorySockets, Network } from "./network.js";
import { token, until } from "./support.js";

const read = (path) => readFile(new URL(`../${path}`, import.meta.url), "utf8");
const AsyncFunction = (async () => {}).constructor;

test("the README's example connects, joins, publishes and listens", async (t) => {
  const server = new FakeServer();
  const { carry } = new Network();
  const WebSocket = memorySockets(server, { toServer: carry, toClient: carry });
  const lines = [];
  const clients = [];
  t.after(() => clients.forEach((client) => client.close()));
  const [, example] = /```js\n([^]*?)```/.exec(await read("README.md"));
  // Only the address, the token and the import differ from the text.
  const code = example.replace(/^import .*$/m, "").replace("wss://…", "wss://server/");
  assert.ok(code.includes("wss://server/"));
  const globals = {
    connect: (options) => {
      clients.push(connect({ WebSocket, ...options }));
      return clients[0];
    },
    fetch: async () => new Response(token("alice")),
    console: { log: (...words) => lines.push(words) },
  };
  await new AsyncFunction(...Object.keys(globals), code)(...Object.values(globals));
  server.append("user:alice", { body: { text: "psst too" } }, { from: "bob" });
  await until(() => lines.length >= 3);
  assert.deepEqual(lines, [["live"], ["alice", { text: "hello" }], ["for me", "bob", { text: "psst too" }]]);
  assert.deepEqual(server.sent("direct").map(({ to, body }) => [to, body]), [["bob", { text: "psst" }]]);
});

test("the README's size is right within 1 %", async () => {
  const [, stated] = /([\d,]+) bytes with gzip/.exec(await read("README.md"));
  const size = gzipSync(await read("sdk/hubbub.js"), { level: 9 }).length;
  const difference = Math.abs(Number(stated.replaceAll(",", "")) / size - 1);
  assert.ok(difference < 0.01, `it says ${stated}, and \`npm run size\` says about ${size}`);
});
