/** The connection: tokens, cuts, moves, pings, closing; and the state that the next client takes over. */

import assert from "node:assert/strict";
import { test } from "node:test";
import WebSocket from "ws";
import { connect } from "hubbub-client";
import { FakeClock, record, seqs, start, token, turn, turnUntil, until } from "./support.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const statuses = (changes) => changes.map(({ status }) => status);

/** Joins `lobby` and records what comes. */
async function member(env) {
  const room = env.client.room("lobby");
  const messages = record(room, "message");
  await room.join();
  return { ...env, room, messages };
}

test("a token is fetched for each socket", async (t) => {
  let fetched = 0;
  const { client, server, clock } = await start(t, { getToken: async () => token("alice", 4e9 + ++fetched) });
  await until(() => client.status === "live");
  server.connections[0].cut();
  await until(() => client.status === "offline");
  await clock.advance(SECOND);
  await until(() => client.status === "live");
  assert.equal(server.connections[0].token, token("alice", 4e9 + 2));
});

test("a failed token fetch is tried again", async (t) => {
  let tries = 0;
  const { client, clock } = await start(t, {
    getToken: () => {
      if (++tries < 3) throw new Error("no network");
      return token();
    },
  });
  const changes = record(client, "status");
  await turnUntil(clock, SECOND, () => client.status === "live");
  assert.equal(tries, 3);
  assert.deepEqual([changes[0].error.code, changes[0].error.message], ["token_unavailable", "the token could not be fetched: no network"]);
});

test("a silent token fetch and a silent socket time out", async (t) => {
  let tries = 0;
  class Silent {
    close() {}
  }
  const { client, clock } = await start(t, {
    getToken: () => (++tries === 1 ? new Promise(() => {}) : token()),
    wrap: (WebSocket) => new Proxy(WebSocket, { construct: (target, args) => (tries === 2 ? new Silent() : new target(...args)) }),
  });
  const changes = record(client, "status");
  await turn();
  assert.equal(tries, 1);
  await clock.advance(30 * SECOND);
  assert.deepEqual(changes.map(({ error }) => error.code), ["timeout"]);
  await clock.advance(SECOND);
  assert.equal(tries, 2);
  await clock.advance(30 * SECOND);
  assert.deepEqual(changes.map(({ error }) => error.code), ["timeout", "timeout"]);
  await turnUntil(clock, SECOND, () => client.status === "live");
});

test("another user's token ends the client", async (t) => {
  let user = "alice";
  const { client, server, clock } = await start(t, { getToken: () => token(user) });
  await until(() => client.status === "live");
  const changes = record(client, "status");
  user = "bob";
  server.connections[0].cut();
  await until(() => client.status === "offline");
  await clock.advance(SECOND);
  await until(() => client.status === "closed");
  assert.equal(changes.at(-1).error.code, "wrong_user");
});

test("a bad token ends the client, and is not in the error", async (t) => {
  const { client } = await start(t, { getToken: () => "secret" });
  const changes = record(client, "status");
  await until(() => client.status === "closed");
  assert.equal(changes[0].error.code, "invalid_token");
  assert.doesNotMatch(changes[0].error.message, /secret/);
});

test("bad options are refused with what to give instead", () => {
  const options = { url: "wss://example.test", token: token(), WebSocket, clock: new FakeClock() };
  const check = (more, message) => assert.throws(() => connect({ ...options, ...more }), { code: "invalid_options", message });
  check({ url: "https://example.test" }, "`https://example.test` is not a WebSocket address: give the stack's, `wss://…`");
  check({ url: undefined }, /`undefined` is not a WebSocket address/);
  check({ token: undefined }, /give either `getToken`/);
  check({ getToken: () => token() }, /give either `getToken`/);
  check({ state: { "room:lobby": { epoch: "e" } } }, /no position for `room:lobby`/);
  if (!globalThis.WebSocket) check({ WebSocket: undefined }, /there is no `WebSocket` here/);
});

test("ids are checked before anything is sent", async (t) => {
  const { client } = await start(t);
  assert.throws(() => client.room("bad id"), { code: "invalid_id", message: /`bad id` is not a room id/ });
  await assert.rejects(client.direct("", 1), { code: "invalid_id" });
  await assert.rejects(client.direct("bob", 1, { id: "x".repeat(65) }), { code: "invalid_id" });
  assert.equal(client.room("a"), client.room("a"));
});

test("the status goes connecting, live, offline, recovering, live", async (t) => {
  const { client, server, clock } = await start(t);
  const changes = record(client, "status");
  assert.equal(client.status, "connecting");
  await client.room("lobby").join();
  assert.deepEqual(statuses(changes), ["live"]);
  server.connections[0].cut();
  await until(() => client.status === "offline");
  let answer;
  server.onFrame = (connection, frame) => frame.action === "join" && ((answer = () => connection.answer(frame)), true);
  await clock.advance(SECOND);
  await until(() => answer);
  assert.equal(client.status, "recovering");
  answer();
  await until(() => client.status === "live");
  assert.deepEqual(statuses(changes), ["live", "offline", "recovering", "live"]);
  assert.equal(changes[1].error.code, "connection_lost");
  client.close();
  assert.deepEqual(changes.at(-1), { status: "closed", previous: "live", error: undefined });
});

test("a client that was never a member is never recovering", async (t) => {
  let tries = 0;
  const { client, clock } = await start(t, {
    getToken: () => {
      if (++tries < 2) throw new Error("no network");
      return token();
    },
  });
  const changes = record(client, "status");
  client.room("lobby").join();
  await turnUntil(clock, SECOND, () => client.status === "live");
  assert.deepEqual(statuses(changes), ["offline", "connecting", "live"]);
});

test("after a cut each channel resumes at its position", async (t) => {
  const { client, server, clock, messages } = await member(await start(t, { inbox: true, everyone: true }));
  await until(() => client.status === "live");
  server.append("room:lobby", { body: 1 });
  await until(() => messages.length === 1);
  server.connections[0].cut();
  await until(() => client.status === "offline");
  server.append("room:lobby", { body: 2 });
  server.append("user:alice", { body: "inbox" });
  const inbox = record(client.inbox, "message");
  const joins = server.sent("join").length;
  await clock.advance(SECOND);
  await until(() => client.status === "live");
  assert.deepEqual(seqs(messages), [1, 2]);
  assert.deepEqual(inbox.map(({ body }) => body), ["inbox"]);
  const resumed = server.sent("join").slice(joins).map(({ room, channel, since, epoch }) => [room ?? channel, since, epoch]);
  assert.deepEqual(resumed.sort(), [["everyone", 0, "e1"], ["lobby", 1, "e1"], ["user:alice", 0, "e1"]]);
});

test("pauses are random under a bound that doubles to a cap", async (t) => {
  for (const [jitter, expected] of [
    [0.999_999, [1, 2, 4, 8, 16, 30, 30]],
    [0.5, [0.5, 1, 2, 4, 8, 15, 15]],
    [0.01, [0.01, 0.02, 0.04, 0.08, 0.16, 0.3, 0.3]],
  ]) {
    const clock = new FakeClock();
    const tries = [];
    const getToken = () => {
      tries.push(clock.now());
      throw new Error("no network");
    };
    const client = connect({ url: "ws://x", getToken, WebSocket, clock, random: () => jitter, pingEvery: 1e9 });
    t.after(() => client.close());
    await turn();
    while (tries.length < 8) await clock.advance(clock.due - clock.now());
    const pauses = tries.slice(1).map((at, n) => Math.round((at - tries[n]) / 10) / 100);
    assert.deepEqual(pauses, expected);
  }
});

test("only a socket that lived resets the pauses", async (t) => {
  const { client, server, clock } = await start(t);
  const pause = async (life) => {
    await until(() => client.status === "live");
    await clock.advance(life);
    server.connections[0].cut();
    await until(() => client.status === "offline");
    const pause = clock.due - clock.now();
    await clock.advance(pause);
    return pause;
  };
  assert.deepEqual([await pause(0), await pause(0), await pause(0), await pause(10 * SECOND), await pause(0)], [500, 1000, 2000, 500, 1000]);
});

test("wake() ends the pause", async (t) => {
  const { client, server } = await start(t, { backoffBase: 1e9, backoffCap: 1e9 });
  await until(() => client.status === "live");
  server.connections[0].cut();
  await until(() => client.status === "offline");
  client.wake();
  await until(() => client.status === "live");
});

test("coming online wakes the client until it is closed", async (t) => {
  const listeners = new Set();
  globalThis.addEventListener = (name, run) => name === "online" && listeners.add(run);
  globalThis.removeEventListener = (_, run) => listeners.delete(run);
  t.after(() => (delete globalThis.addEventListener, delete globalThis.removeEventListener));
  const { client, server } = await start(t, { backoffBase: 1e9, backoffCap: 1e9 });
  await until(() => client.status === "live");
  server.connections[0].cut();
  await until(() => client.status === "offline");
  for (const run of listeners) run();
  await until(() => client.status === "live");
  client.close();
  assert.equal(listeners.size, 0);
});

test("a socket is replaced at a random age of 90 to 115 minutes", async (t) => {
  for (const [random, age] of [[0, 90], [0.5, 102.5], [0.999_999, 115]]) {
    const { client, server, clock } = await start(t, { random: () => random });
    await until(() => client.status === "live");
    await clock.advance(age * MINUTE - SECOND);
    assert.equal(server.connected, 1, `not before ${age} minutes`);
    await clock.advance(SECOND);
    await until(() => server.connected === 2);
    await until(() => server.connections.length === 1);
    assert.equal(client.status, "live");
    client.close();
  }
});

test("a move loses and doubles nothing", async (t) => {
  const { client, server, clock, messages, room, quiet } = await member(await start(t, { moveAfter: [MINUTE, MINUTE] }));
  const changes = record(client, "status");
  server.append("room:lobby", { body: "before" });
  await until(() => messages.length === 1);
  const [old] = server.connections;
  let answer;
  server.onFrame = (connection, frame) => frame.action === "join" && ((answer = () => connection.answer(frame)), true);
  await clock.advance(MINUTE);
  await until(() => answer);
  server.append("room:lobby", { body: "by the old socket" });
  assert.equal(old.isOpen, true, "the old socket is kept until the join is answered");
  const { ref, ...join } = server.sent("join").at(-1);
  assert.deepEqual(join, { action: "join", room: "lobby", since: 1, epoch: "e1" });
  answer();
  await until(() => !old.isOpen);
  server.append("room:lobby", { body: "by the new socket" });
  await until(() => messages.length === 3);
  await quiet();
  assert.deepEqual(messages.map(({ body }) => body), ["before", "by the old socket", "by the new socket"]);
  assert.deepEqual(changes, [], "the application sees nothing of it");
});

test("a move waits for the old socket's answers", async (t) => {
  const { server, clock, room, quiet } = await member(await start(t, { moveAfter: [10 * SECOND, 10 * SECOND] }));
  const [old] = server.connections;
  let answer;
  server.onFrame = (connection, frame) => frame.action === "publish" && ((answer = () => connection.answer(frame)), true);
  const published = room.publish("slow", { id: "m" });
  await until(() => answer);
  await clock.advance(10 * SECOND);
  await until(() => server.connections[1]?.members.has("room:lobby"));
  await quiet();
  assert.equal(old.isOpen, true);
  answer();
  assert.deepEqual(await published, { id: "m", channel: "room:lobby" });
  await until(() => !old.isOpen);
  assert.equal(server.sent("publish").length, 1);
});

test("a move waits for the old socket's receipts", async (t) => {
  const { client, server, clock, room, quiet } = await member(await start(t, { moveAfter: [MINUTE, MINUTE] }));
  const [old] = server.connections;
  const receipts = record(client, "receipt");
  await room.publish("x", { id: "m", receipt: true });
  assert.equal(server.sent("publish")[0].receipt, true);
  await clock.advance(MINUTE);
  await until(() => server.connections[1]?.members.has("room:lobby"));
  await quiet();
  assert.equal(old.isOpen, true);
  const receipt = { channel: "room:lobby", id: "m", seq: 1, members: 1, delivered: 1, gone: 0, failed: 0, ms: 9 };
  old.send({ type: "receipt", ...receipt });
  await until(() => !old.isOpen);
  assert.deepEqual(receipts, [receipt]);
});

test("a kick on the old socket counts until the new one has joined", async (t) => {
  const { client, server, clock, room, quiet } = await member(await start(t, { moveAfter: [MINUTE, MINUTE] }));
  const left = record(client, "left");
  const kicked = { type: "left", channel: "room:lobby", reason: "kicked" };
  await room.publish("x", { receipt: true }); // Its receipt doesn't come, so the old socket stays.
  const [old] = server.connections;
  await clock.advance(MINUTE);
  await until(() => server.connections[1]?.members.has("room:lobby"));
  await quiet();
  old.send(kicked);
  old.send({ type: "receipt", channel: "room:lobby", id: server.sent("publish")[0].id });
  await until(() => !old.isOpen);
  assert.deepEqual(left, []);

  const [second] = server.connections;
  let answer;
  server.onFrame = (connection, frame) => frame.action === "join" && ((answer = () => connection.answer(frame)), true);
  await clock.advance(MINUTE);
  await until(() => answer);
  second.send(kicked);
  await until(() => left.length === 1);
  answer();
  await until(() => server.sent("leave").length === 1, "the new socket must leave too");
});

test("a failed move keeps the old socket and is tried again", async (t) => {
  const { client, server, clock, messages, room } = await member(await start(t, { moveAfter: [MINUTE, MINUTE] }));
  const changes = record(client, "status");
  server.refusal = 503;
  await clock.advance(MINUTE);
  await until(() => clock.due - clock.now() <= 500, "the next try is due");
  server.append("room:lobby", { body: 1 });
  await room.publish(2);
  server.refusal = null;
  await clock.advance(500);
  await until(() => server.connected === 2 && server.connections.length === 1);
  await until(() => messages.length === 2);
  assert.deepEqual(changes, []);
});

test("if the new socket breaks, the old one is used again", async (t) => {
  const { client, server, clock, messages, room } = await member(await start(t, { moveAfter: [MINUTE, MINUTE] }));
  const changes = record(client, "status");
  const [old] = server.connections;
  server.onFrame = (connection, frame) => frame.action === "join" && connection !== old && (connection.cut(), true);
  await clock.advance(MINUTE);
  await until(() => server.connected === 2 && server.connections.length === 1);
  server.onFrame = () => false;
  await room.publish("still here");
  await until(() => messages.length === 1);
  await clock.advance(SECOND);
  await until(() => server.connected === 3 && server.connections.length === 1);
  await until(() => server.connections[0].members.has("room:lobby"));
  assert.deepEqual(changes, []);
});

/** A client whose fresh socket has joined `lobby`, while the move waits for the join of `other` there. `finish` answers it. */
async function moving(t) {
  const env = await member(await start(t, { moveAfter: [MINUTE, MINUTE] }));
  const other = env.client.room("other");
  await other.join();
  const [old] = env.server.connections;
  let finish;
  env.server.onFrame = (connection, frame) => connection !== old && frame.room === "other" && ((finish ??= () => connection.answer(frame)), true);
  await env.clock.advance(MINUTE);
  const fresh = await until(() => env.server.connections.find((one) => one !== old && finish && one.members.has("room:lobby")));
  const isMoved = async () => {
    env.server.onFrame = () => false;
    finish();
    await until(() => !old.isOpen);
  };
  return { ...env, other, old, fresh, isMoved };
}

test("join() during a move joins on the new socket", async (t) => {
  const { client, server, old, fresh, isMoved } = await moving(t);
  const room = client.room("new");
  const messages = record(room, "message");
  await room.join();
  assert.ok(old.isOpen && fresh.members.has("room:new"));
  await isMoved();
  server.append("room:new", { body: 1 });
  await until(() => messages.length === 1);
});

test("leave() during a move leaves on the new socket", async (t) => {
  const { client, room, other, old, fresh, isMoved } = await moving(t);
  await room.leave();
  assert.deepEqual([old.isOpen, fresh.members.has("room:lobby")], [true, false]);
  const left = other.leave(); // Its join has no answer yet.
  await isMoved();
  await left;
  assert.equal(fresh.members.has("room:other"), false);
  assert.equal(client.status, "live");
});

test("leave() during a failed move leaves on the old socket too", async (t) => {
  const { server, room, old, fresh } = await moving(t);
  await room.leave();
  server.onFrame = () => false;
  fresh.cut();
  await until(() => !old.members.has("room:lobby"));
});

test("a socket is replaced before its token expires", async (t) => {
  const env = await start(t, { getToken: () => token("alice", 1_000 + 400) });
  const { client, server, clock } = env;
  await until(() => client.status === "live");
  await clock.advance(349 * SECOND);
  assert.equal(server.connected, 1);
  await clock.advance(2 * SECOND); // 400 s × (0.8 + 0.15 / 2)
  await until(() => server.connected === 2);
  await until(() => server.connections.length === 1);
});

test("a ping goes every 8 minutes with all positions", async (t) => {
  const { server, clock, messages } = await member(await start(t));
  server.append("room:lobby", { body: 1 });
  await until(() => messages.length === 1);
  await clock.advance(8 * MINUTE - 1);
  assert.deepEqual(server.sent("ping"), []);
  await clock.advance(1);
  await until(() => server.sent("ping").length === 1);
  assert.deepEqual(server.sent("ping")[0].seen, { "room:lobby": { epoch: "e1", seq: 1 } });
  await clock.advance(8 * MINUTE);
  await until(() => server.sent("ping").length === 2);
});

test("a ping names at most 100 channels", async (t) => {
  const { client, server } = await start(t);
  await Promise.all(Array.from({ length: 101 }, (_, n) => client.room(`r${n}`).join()));
  client.wake();
  await until(() => server.sent("ping").length === 2);
  assert.deepEqual(server.sent("ping").map(({ seen }) => Object.keys(seen).length), [100, 1]);
});

test("a channel in `rejoin` is joined again and gets what was lost", async (t) => {
  const { client, server, clock, messages } = await member(await start(t));
  await client.room("other").join();
  server.onPost = (_, frame) => (frame.type === "message" ? [] : [frame]);
  server.append("room:lobby", { body: "lost" });
  const joins = server.sent("join").length;
  await clock.advance(8 * MINUTE);
  await until(() => messages.length === 1);
  assert.deepEqual(server.sent("join").slice(joins).map(({ ref, ...join }) => join), [
    { action: "join", room: "lobby", since: 0, epoch: "e1" },
  ]);
});

test("an unanswered ping gives up the socket", async (t) => {
  const { client, server, clock } = await start(t);
  await until(() => client.status === "live");
  const changes = record(client, "status");
  server.onFrame = () => true;
  client.wake();
  await until(() => server.sent("ping").length === 1);
  await clock.advance(30 * SECOND);
  assert.deepEqual(statuses(changes), ["offline"]);
  assert.match(changes[0].error.message, /nothing was heard/);
  server.onFrame = () => false;
  await clock.advance(SECOND);
  await until(() => client.status === "live");
});

test("one lost answer doesn't give up the socket", async (t) => {
  const { client, server, clock, messages, room } = await member(await start(t));
  server.onFrame = (_, { action }) => action === "history";
  const history = assert.rejects(room.history(), { code: "timeout" });
  await until(() => server.sent("history").length === 1);
  await clock.advance(10);
  server.append("room:lobby", { body: 1 });
  await until(() => messages.length === 1);
  await clock.advance(30 * SECOND);
  await history;
  assert.equal(client.status, "live");
});

test("closing with `reconnect: false` ends the client", async (t) => {
  const { client, server, clock, room } = await member(await start(t));
  const changes = record(client, "status");
  server.onFrame = (_, { action }) => action === "publish";
  const published = assert.rejects(room.publish("x"), { code: "banned" });
  const joined = assert.rejects(client.room("never").join().then(() => client.room("never").publish(1)), { code: "banned" });
  await until(() => server.sent("publish").length === 2);
  server.connections[0].send({ type: "closing", code: "banned", message: "the door is closed", reconnect: false });
  await until(() => client.status === "closed");
  await Promise.all([published, joined]);
  assert.deepEqual([changes[0].error.code, changes[0].error.message], ["banned", "the door is closed"]);
  await clock.advance(10 * MINUTE);
  assert.equal(server.connected, 1);
  assert.equal(clock.timers.size, 0);
  for (const call of [() => room.join(), () => room.publish(1), () => room.history(), () => client.direct("bob", 1), () => room.kick("bob")]) {
    await assert.rejects(call(), { code: "banned" });
  }
});

test("closing with `reconnect: true` reconnects with a fresh token", async (t) => {
  let fetched = 0;
  const { client, server, clock } = await start(t, { getToken: () => token("alice", 4e9 + ++fetched) });
  await until(() => client.status === "live");
  server.connections[0].send({ type: "closing", code: "token_expired", message: "the token has expired", reconnect: true });
  await until(() => client.status === "offline");
  assert.equal(fetched, 1);
  await clock.advance(SECOND);
  await until(() => client.status === "live");
  assert.equal(fetched, 2);
});

test("an expired fixed token ends the client", async (t) => {
  const { client, server } = await start(t, { getToken: undefined, token: token() });
  await until(() => client.status === "live");
  const changes = record(client, "status");
  server.connections[0].send({ type: "closing", code: "token_expired", message: "the token has expired", reconnect: true });
  await until(() => client.status === "closed");
  assert.match(changes[0].error.message, /give `getToken`/);
});

test("an unknown connection is replaced", async (t) => {
  const { client, server, clock, room } = await member(await start(t));
  const [old] = server.connections;
  server.onFrame = (connection, frame) => connection === old && (connection.refuse(frame, "not_connected"), true);
  const published = room.publish("x", { id: "m" });
  await until(() => client.status === "offline");
  await clock.advance(SECOND);
  assert.deepEqual(await published, { id: "m", channel: "room:lobby" });
});

test("close() leaves no socket and no timer, and rejects what waits", async (t) => {
  const { client, server, clock, room } = await member(await start(t));
  server.onFrame = () => true;
  const waiting = [room.publish(1), room.publish(2), room.history(), client.room("other").join(), client.direct("bob", 1)];
  const rejected = waiting.map((one) => assert.rejects(one, { code: "closed" }));
  await turn();
  client.close();
  client.close();
  await Promise.all(rejected);
  await until(() => server.connections.length === 0);
  assert.equal(clock.timers.size, 0);
  client.wake();
  await turn();
  assert.equal(server.connected, 1);
});

test("close() rejects requests that wait for another try", async (t) => {
  const { client, server, room, quiet } = await member(await start(t));
  server.onFrame = (connection, frame) => {
    connection.refuse(frame, "too_fast", { retry_ms: 5_000 });
    return true;
  };
  const waiting = [room.who(), room.kick("bob")];
  await quiet();
  await turn();
  client.close();
  for (const one of waiting) await assert.rejects(one, { code: "closed" });
});

test("close() during a handshake leaves no connection", async (t) => {
  const { client, server } = await start(t);
  await turn();
  client.close();
  await until(() => server.connected === 0 || server.connections.length === 0);
  assert.equal(client.status, "closed");
});

test("the next client goes on from a state kept as JSON", async (t) => {
  const { client, server, open, messages } = await member(await start(t, { inbox: true, everyone: true }));
  await until(() => client.status === "live");
  server.append("room:lobby", { body: 1 });
  server.append("user:alice", { body: "one" });
  await until(() => messages.length === 1 && client.inbox.position.seq === 1);
  const state = JSON.parse(JSON.stringify(client.state));
  assert.deepEqual(state, {
    "room:lobby": { epoch: "e1", seq: 1 },
    "user:alice": { epoch: "e1", seq: 1 },
    everyone: { epoch: "e1", seq: 0 },
  });
  client.close();
  server.append("room:lobby", { body: 2 });
  server.append("user:alice", { body: "two" });
  server.append("everyone", { body: "all" });
  const next = open({ state: { ...state, "user:bob": { epoch: "e1", seq: 7 } } });
  assert.deepEqual(next.state["user:alice"], { epoch: "e1", seq: 1 }, "it isn't lost before the user is known");
  const told = record(next, "message");
  const changes = record(next, "status");
  await until(() => next.status === "live");
  assert.deepEqual(told.map(({ body }) => body).sort(), [2, "all", "two"].sort());
  assert.deepEqual(statuses(changes), ["recovering", "live"]);
  assert.deepEqual(Object.keys(next.state).sort(), ["everyone", "room:lobby", "user:alice"]);
});

test("in a listener the state includes the current message", async (t) => {
  const { client, server } = await start(t);
  for (let n = 0; n < 3; n += 1) server.append("room:lobby", { body: n });
  const positions = [];
  client.on("message", () => positions.push(client.state["room:lobby"].seq));
  await client.room("lobby").join({ since: 0 });
  assert.deepEqual(positions, [1, 2, 3]);
});

test("a request waits for a connection until its timeout", async (t) => {
  const { client, server, clock } = await start(t);
  server.refusal = 503;
  const history = assert.rejects(client.inbox.history(), { code: "offline" });
  await turnUntil(clock, SECOND, () => clock.now() > 1_000_000 + 30 * SECOND);
  await history;
});

test("a read is repeated after a cut, a command is not", async (t) => {
  const { client, server, clock, room } = await member(await start(t));
  server.onFrame = (connection, { action }) => action === "who" && (connection.cut(), true);
  const who = room.who();
  await until(() => client.status === "offline");
  server.onFrame = () => false;
  await clock.advance(SECOND);
  assert.equal((await who).count, 1);
  server.onFrame = (connection, { action }) => action === "kick" && (connection.cut(), true);
  await assert.rejects(room.kick("bob"), { code: "connection_lost" });
});
