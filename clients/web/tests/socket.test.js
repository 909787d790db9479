/** Real sockets, on the host's own clock: handshakes, refusals and cuts as the network reports them. The other tests use no network. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { connect } from "hubbub-client";
import { FakeServer } from "./fake-server.js";
import { record, token } from "./support.js";

/** How long a condition may take on a busy host. Only a test that fails waits this long. */
const PATIENCE = 60_000;

async function until(condition, what = String(condition)) {
  const deadline = Date.now() + PATIENCE;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE} ms: ${what}`);
    await sleep(1);
  }
}

async function start(t, options = {}) {
  const server = await new FakeServer(Date.now).listen();
  const client = connect({ url: server.url, getToken: () => token(), WebSocket, backoffBase: 1, everyone: false, ...options });
  t.after(async () => {
    client.close();
    await server.stop();
  });
  return { client, server, changes: record(client, "status") };
}

test("the token goes as a second subprotocol", async (t) => {
  const { client, server } = await start(t);
  await until(() => client.status === "live");
  const [connection] = server.connections;
  assert.deepEqual([connection.token, connection.protocol, connection.url], [token(), "hubbub.v1", "/"]);
  assert.equal(client.user, "alice");
});

test("with `auth: query` the token goes in the address", async (t) => {
  const { client, server } = await start(t, { auth: "query" });
  await until(() => client.status === "live");
  const [connection] = server.connections;
  assert.deepEqual([connection.token, connection.protocol, connection.url], [token(), "", `/?token=${token()}`]);
});

test("a cut socket is replaced, and messages go on", async (t) => {
  const { client, server, changes } = await start(t);
  const messages = record(client.inbox, "message");
  await until(() => client.status === "live");
  server.append("user:alice", { body: 1 });
  await until(() => messages.length === 1);
  server.connections[0].cut();
  await until(() => client.status === "offline" || server.connected === 2);
  server.append("user:alice", { body: 2 });
  await until(() => messages.length === 2);
  assert.deepEqual(messages.map(({ body }) => body), [1, 2]);
  assert.match(changes.find(({ status }) => status === "offline").error.message, /the connection was lost: closed with code 1006/);
});

test("a refused handshake is an error, and is tried again", async (t) => {
  const { client, server, changes } = await start(t);
  server.refusal = 401;
  await until(() => changes.length > 0);
  server.refusal = null;
  await until(() => client.status === "live");
  assert.match(changes[0].error.message, /could not be reached, or refused the token: .*401/);
});

test("close() closes the socket", async (t) => {
  const { client, server } = await start(t);
  await until(() => client.status === "live");
  client.close();
  await until(() => server.connections.length === 0);
});
