/** The README's first lines do what they say. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import WebSocket from "ws";
import { connect } from "hubbub-client";
import { FakeServer } from "./fake-server.js";
import { token, until } from "./support.js";

const AsyncFunction = (async () => {}).constructor;

test("the README's example connects, joins, publishes and listens", async (t) => {
  const server = await new FakeServer().listen();
  const lines = [];
  const clients = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const [, example] = /```js\n([^]*?)```/.exec(readme);
  // All but the address, the token and what is imported is as it stands there.
  const code = example.replace(/^import .*$/m, "").replace("wss://…", server.url);
  assert.ok(code.includes(server.url));
  const surroundings = {
    connect: (options) => {
      clients.push(connect({ WebSocket, ...options }));
      return clients[0];
    },
    fetch: async () => new Response(token("alice")),
    console: { log: (...words) => lines.push(words) },
  };
  await new AsyncFunction(...Object.keys(surroundings), code)(...Object.values(surroundings));
  server.append("user:alice", { body: { text: "psst too" } }, { from: "bob" });
  await until(() => lines.length >= 3);
  assert.deepEqual(lines, [["live"], ["alice", { text: "hello" }], ["for me", "bob", { text: "psst too" }]]);
  assert.deepEqual(server.sent("direct").map(({ to, body }) => [to, body]), [["bob", { text: "psst" }]]);
});
