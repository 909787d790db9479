/** Presence and signals. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PresenceTracker } from "../src/presence.js";
import { record, start, token, turnUntil, until } from "./support.js";

const SECOND = 1_000;

/** Alice watches the presence of `lobby`, where bob is too. */
async function watcher(t, options = {}) {
  const env = await start(t, options);
  const bob = env.open({ getToken: () => token("bob"), token: undefined });
  await bob.room("lobby").join();
  const room = env.client.room("lobby");
  const told = record(room, "presence");
  const joined = await room.join({ presence: true });
  const connection = env.server.connections.find(({ user }) => user === "alice");
  const update = (at, more) => connection.send({ type: "presence", channel: "room:lobby", at, ...more });
  /** The `presence` of each join of alice's. */
  const asked = () =>
    env.server.frames
      .filter(({ connection: { user }, frame }) => user === "alice" && frame.action === "join" && frame.room === "lobby")
      .map(({ frame }) => frame.presence);
  return { ...env, bob, room, told, joined, connection, update, asked };
}

const present = (...users) => ({ count: users.length, users, paused: false });

test("a join with presence lists the users, also as an event", async (t) => {
  const { client, room, told, joined, asked } = await watcher(t);
  assert.deepEqual(joined.presence, present("alice", "bob"));
  assert.deepEqual(told, [{ channel: "room:lobby", ...present("alice", "bob"), joined: [], left: [] }]);
  assert.deepEqual(room.presence, present("alice", "bob"));
  assert.deepEqual(asked(), [true]);
  const other = client.room("other");
  assert.equal("presence" in (await other.join()), false, "who doesn't ask isn't told");
  assert.equal(other.presence, null);
});

test("an update changes the list, with events of room and client", async (t) => {
  const { client, room, told, update, quiet } = await watcher(t);
  const all = record(client, "presence");
  update(5, { count: 3, users: ["cyd", "alice", "bob"] });
  update(6, { count: 2, users: ["alice", "cyd"] });
  await quiet();
  assert.deepEqual(told.slice(1), [
    { channel: "room:lobby", ...present("alice", "bob", "cyd"), joined: ["cyd"], left: [] },
    { channel: "room:lobby", ...present("alice", "cyd"), joined: [], left: ["bob"] },
  ]);
  assert.deepEqual(all, told.slice(1));
  assert.deepEqual(room.presence, present("alice", "cyd"));
  room.presence.users.push("nobody");
  told[2].users.push("nobody");
  assert.deepEqual(room.presence, present("alice", "cyd"), "what is handed out is the application's own");
});

test("an update that is not newer is dropped", async (t) => {
  const { room, told, update, asked, quiet } = await watcher(t);
  update(5, { count: 1, users: ["alice"] });
  update(4, { count: 2, users: ["alice", "bob"] });
  update(5, { count: 2, users: ["alice", "bob"] });
  await quiet();
  assert.deepEqual(room.presence, present("alice"));
  assert.equal(told.length, 2);
  assert.deepEqual(asked(), [true]);
});

test("a room that grows too large pauses until it is small again", async (t) => {
  const { room, told, update, asked, quiet } = await watcher(t);
  update(5, { count: 101, paused: true });
  await quiet();
  assert.deepEqual(room.presence, { count: 101, users: [], paused: true });
  update(6, { count: 2, users: ["cyd", "alice"] });
  await quiet();
  assert.deepEqual(told.slice(1), [
    { channel: "room:lobby", count: 101, users: [], paused: true, joined: [], left: [] },
    { channel: "room:lobby", ...present("alice", "cyd"), joined: [], left: [] },
  ]);
  assert.deepEqual(asked(), [true], "there is nothing to ask");
});

test("a join of a too large room is paused", async (t) => {
  const { client, server } = await start(t);
  server.onPost = (_, frame) => [frame.presence ? { ...frame, presence: { count: 102, paused: true } } : frame];
  const room = client.room("lobby");
  assert.deepEqual((await room.join({ presence: true })).presence, { count: 102, users: [], paused: true });
});

test("the next update makes a lost one good", async (t) => {
  const { room, told, update, asked } = await watcher(t);
  // The update that cyd came and bob went was lost.
  update(6, { count: 3, users: ["alice", "cyd", "dan"] });
  await until(() => room.presence.count === 3);
  assert.deepEqual(told.slice(1), [{ channel: "room:lobby", ...present("alice", "cyd", "dan"), joined: ["cyd", "dan"], left: ["bob"] }]);
  assert.deepEqual(asked(), [true]);
});

test("an update before the answer waits for it", async (t) => {
  const { client, server } = await start(t);
  server.onFrame = (connection, frame) => {
    if (frame.action !== "join") return false;
    connection.send({ type: "presence", channel: "room:lobby", at: 5, count: 2, users: ["alice", "bob"] });
    return false;
  };
  const room = client.room("lobby");
  const told = record(room, "presence");
  const { presence } = await room.join({ presence: true });
  assert.deepEqual(presence, present("alice", "bob"));
  assert.equal(told.length, 1);
});

test("a join for a gap doesn't change presence", async (t) => {
  const { server, room, asked } = await watcher(t);
  server.onPost = (_, frame) => (frame.type === "message" ? [] : [frame]);
  server.append("room:lobby", { body: 1 });
  server.onPost = (_, frame) => [frame];
  server.append("room:lobby", { body: 2 });
  await until(() => room.position.seq === 2);
  assert.deepEqual(asked(), [true, undefined]);
});

test("after a cut presence is asked for and its change told once", async (t) => {
  const { client, server, clock, room, told, bob, connection, asked } = await watcher(t);
  connection.cut();
  await until(() => client.status === "offline");
  assert.deepEqual(room.presence, present("alice", "bob"), "as last known");
  bob.close();
  await until(() => server.connections.length === 0);
  await turnUntil(clock, SECOND, () => client.status === "live");
  assert.deepEqual(asked(), [true, true]);
  assert.deepEqual(told.slice(1), [{ channel: "room:lobby", ...present("alice"), joined: [], left: ["bob"] }]);
  server.announce("room:lobby", { at: 9, count: 2, users: ["alice", "cyd"] });
  await until(() => room.presence.count === 2);
});

test("a failed join after a cut asks for presence again", async (t) => {
  const { client, server, clock, connection, asked } = await watcher(t);
  connection.cut();
  await until(() => client.status === "offline");
  server.onFrame = (one, frame) => frame.action === "join" && asked().length === 2 && (one.refuse(frame, "unavailable"), true);
  await turnUntil(clock, SECOND, () => client.status === "live");
  assert.deepEqual(asked(), [true, true, true]);
});

test("a cut without changes gives no event", async (t) => {
  const { client, clock, told, connection, asked } = await watcher(t);
  connection.cut();
  await until(() => client.status === "offline");
  await turnUntil(clock, SECOND, () => client.status === "live");
  assert.deepEqual(asked(), [true, true]);
  assert.equal(told.length, 1);
});

test("a move keeps presence, and tells doubled frames once", async (t) => {
  const { client, server, clock, room, told, asked } = await watcher(t, { moveAfter: [10 * SECOND, 10 * SECOND] });
  const signals = record(room, "signal");
  const sockets = () => server.connections.filter(({ user }) => user === "alice");
  let brought = 0;
  server.onFrame = (connection, frame) => {
    if (frame.action !== "join" || connection.user !== "alice" || brought > 0) return false;
    // Both sockets are members by now, and the new one has no answer yet.
    brought = sockets().length;
    for (const socket of sockets()) {
      socket.send({ type: "presence", channel: "room:lobby", at: 5, count: 3, users: ["alice", "bob", "cyd"] });
      socket.send({ type: "signal", channel: "room:lobby", from: "bob", at: 5, body: "typing" });
    }
    const answer = { type: "joined", channel: "room:lobby", epoch: "e1", head: 0, recovered: true, messages: [], more: false };
    connection.send({ ...answer, presence: { count: 3, users: ["alice", "bob", "cyd"] }, ref: frame.ref });
    return true;
  };
  await turnUntil(clock, SECOND, () => told.length === 2);
  await turnUntil(clock, 100, () => sockets().length === 1);
  assert.equal(brought, 2);
  assert.equal(client.status, "live");
  assert.deepEqual(asked(), [true, true]);
  assert.deepEqual(told.slice(1), [{ channel: "room:lobby", ...present("alice", "bob", "cyd"), joined: ["cyd"], left: [] }]);
  assert.deepEqual(signals.map(({ body }) => body), ["typing"]);
  for (const body of [1, 1]) sockets()[0].send({ type: "signal", channel: "room:lobby", from: "bob", at: 6, body });
  await until(() => signals.length === 3, "the same twice on one socket was sent twice");
});

test("`presence: false` turns presence off and forgets the list", async (t) => {
  const { client, clock, room, told, update, connection, asked, quiet } = await watcher(t);
  assert.equal("presence" in (await room.join({ presence: false })), false);
  assert.equal(room.presence, null);
  update(5, { count: 3, users: ["alice", "bob", "cyd"] });
  await quiet();
  assert.equal(told.length, 1);
  connection.cut();
  await until(() => client.status === "offline");
  await turnUntil(clock, SECOND, () => client.status === "live");
  assert.deepEqual(asked(), [true, false, undefined]);
});

test("leaving turns presence off", async (t) => {
  const { room, asked } = await watcher(t);
  await room.leave();
  assert.equal(room.presence, null);
  await room.join();
  await room.join({ presence: true });
  assert.deepEqual(room.presence, present("alice", "bob"));
  assert.deepEqual(asked(), [true, undefined, true]);
});

test("a forgotten member asks for presence again", async (t) => {
  const { client, server, room, connection, asked } = await watcher(t);
  connection.members.delete("room:lobby");
  connection.watched.delete("room:lobby");
  client.wake();
  await until(() => asked().length === 2);
  assert.deepEqual(asked(), [true, true]);
  await until(() => server.announce("room:lobby", { at: 5, count: 3, users: ["alice", "bob", "cyd"] }) === 1);
  await until(() => room.presence.count === 3);
});

test("a refused presence doesn't end the membership", async (t) => {
  const { client, server } = await start(t);
  server.onFrame = (connection, frame) => frame.presence && (connection.refuse(frame, "not_allowed"), true);
  const room = client.room("lobby");
  await assert.rejects(room.join({ presence: true }), { code: "not_allowed" });
  assert.equal(room.position, null, "a first join is refused as a whole");
  await room.join();
  const left = record(room, "left");
  await assert.rejects(room.join({ presence: true }), { code: "not_allowed" });
  await room.publish("still here");
  assert.deepEqual(left, []);
  assert.equal(room.presence, null);
});

test("a server without presence is joined once", async (t) => {
  const { client, server, quiet } = await start(t);
  server.onPost = (_, { presence, ...frame }) => [frame];
  const room = client.room("lobby");
  const joined = await room.join({ presence: true });
  assert.equal("presence" in joined, false);
  await quiet();
  assert.equal(room.presence, null);
  assert.equal(server.sent("join").length, 1);
});

test("updates after a failed join wait for the next one", () => {
  const tracker = new PresenceTracker();
  tracker.joinSent();
  assert.equal(tracker.update({ at: 1, count: 1, users: ["ana"] }), null);
  tracker.joinFailed();
  assert.equal(tracker.update({ at: 2, count: 1, users: ["ana"] }), null);
  assert.deepEqual([tracker.known, tracker.isStale], [null, true]);
  tracker.joinSent();
  assert.deepEqual(tracker.joinAnswered({ count: 1, users: ["ben"] }), { ...present("ben"), joined: [], left: [] });
});

test("a signal goes to the others and returns their number", async (t) => {
  const { client, server, room, bob } = await watcher(t);
  const [heard, own] = [record(bob.room("lobby"), "signal"), record(client, "signal")];
  const all = record(bob, "signal");
  assert.deepEqual(await room.signal({ typing: true }), { channel: "room:lobby", delivered: 1 });
  await until(() => heard.length === 1);
  assert.deepEqual(heard, [{ channel: "room:lobby", from: "alice", at: 1_000_000, body: { typing: true } }]);
  assert.deepEqual(all, heard);
  assert.deepEqual(own, []);
  assert.equal(server.channel("room:lobby").head, 0);
  const { ref, ...frame } = server.sent("signal")[0];
  assert.deepEqual(frame, { action: "signal", room: "lobby", body: { typing: true } });
});

test("a signal to a user is an event of their inbox", async (t) => {
  const { client, open } = await start(t);
  const bob = open({ getToken: () => token("bob"), inbox: true });
  const heard = record(bob.inbox, "signal");
  await until(() => client.status === "live" && bob.status === "live");
  assert.deepEqual(await client.signal("bob", null), { channel: "user:bob", delivered: 1 });
  await until(() => heard.length === 1);
  assert.deepEqual(heard, [{ channel: "user:bob", from: "alice", at: 1_000_000, body: null }]);
  assert.deepEqual(await client.signal("nobody", 1), { channel: "user:nobody", delivered: 0 });
  await assert.rejects(client.signal("no body", 1), { code: "invalid_id" });
});

test("a signal while offline is dropped", async (t) => {
  const { client, server, clock, room, connection, quiet } = await watcher(t);
  connection.cut();
  await until(() => client.status === "offline");
  assert.deepEqual(await room.signal(1), { channel: "room:lobby", delivered: 0 });
  assert.deepEqual(await client.signal("bob", 1), { channel: "user:bob", delivered: 0 });
  await turnUntil(clock, SECOND, () => client.status === "live");
  await quiet();
  assert.deepEqual(server.sent("signal"), []);
});

test("a signal without an answer is not sent again", async (t) => {
  const { client, server, clock, room, connection, quiet } = await watcher(t);
  server.onFrame = (_, frame) => frame.action === "signal" && (connection.cut(), true);
  assert.deepEqual(await room.signal(1), { channel: "room:lobby", delivered: 0 });
  await turnUntil(clock, SECOND, () => client.status === "live");
  server.onFrame = (_, frame) => frame.action === "signal";
  const unanswered = room.signal(2);
  await until(() => server.sent("signal").length === 2);
  await clock.advance(30 * SECOND);
  assert.deepEqual(await unanswered, { channel: "room:lobby", delivered: 0 });
  await turnUntil(clock, SECOND, () => client.status === "live");
  await quiet();
  assert.equal(server.sent("signal").length, 2);
});

test("a refused signal throws at once", async (t) => {
  const { server, room } = await watcher(t);
  let code;
  server.onFrame = (connection, frame) => frame.action === "signal" && (connection.refuse(frame, code, { retry_ms: 250 }), true);
  for (code of ["too_fast", "too_many_members", "unavailable", "not_allowed", "body_too_large"]) {
    await assert.rejects(room.signal(1), { code, retryMs: 250 });
  }
  assert.equal(server.sent("signal").length, 5);
});

test("a signal needs a joined room and a small JSON body", async (t) => {
  const { client, server, room } = await watcher(t);
  await assert.rejects(client.room("other").signal(1), { code: "not_a_member" });
  await assert.rejects(room.signal(undefined), { code: "not_json" });
  await assert.rejects(room.signal("x".repeat(33_000)), { code: "body_too_large" });
  assert.deepEqual(server.sent("signal"), []);
  client.close();
  await assert.rejects(room.signal(1), { code: "closed" });
});

test("a forgotten member's signal is dropped, and the room joined", async (t) => {
  const { server, room, connection, asked, quiet } = await watcher(t);
  connection.members.delete("room:lobby");
  assert.deepEqual(await room.signal(1), { channel: "room:lobby", delivered: 0 });
  await quiet(); // Not only the join must have arrived, its answer too: until then the next signal is dropped as well.
  assert.deepEqual((await room.signal(2)).delivered, 1);
  assert.deepEqual(asked(), [true, true]);
  assert.equal(server.sent("signal").length, 2);
});

test("signals of a left room are dropped", async (t) => {
  const { room, client, connection } = await watcher(t);
  const signals = record(client, "signal");
  await room.leave();
  connection.send({ type: "signal", channel: "room:lobby", from: "bob", at: 5, body: 1 });
  await client.signal("bob", 1);
  assert.deepEqual(signals, []);
});
