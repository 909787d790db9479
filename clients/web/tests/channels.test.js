/** Channels: order, duplicates, gaps, recovery, leaving. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { record, seqs, start, turn, turnUntil, until } from "./support.js";

/** A member of `lobby` whose log has `before` messages already. */
async function member(t, before = 0, options = {}) {
  const env = await start(t, options);
  for (let n = 0; n < before; n += 1) env.server.append("room:lobby", { body: n });
  const room = env.client.room("lobby");
  const messages = record(room, "message");
  await room.join();
  const [connection] = env.server.connections;
  const frame = (entry) => ({ type: "message", channel: "room:lobby", epoch: env.server.channel("room:lobby").epoch, ...entry });
  return { ...env, room, messages, connection, frame, channel: env.server.channel("room:lobby") };
}

const DROP = () => [];
const isPost = ({ type }) => type === "message" || type === "messages";

test("a member gets whole messages after the join", async (t) => {
  const { server, room, messages, client } = await member(t, 2);
  const all = record(client, "message");
  server.append("room:lobby", { body: { text: "hello" } }, { from: "bob", id: "m" });
  await until(() => messages.length === 1);
  assert.deepEqual(messages, [
    { channel: "room:lobby", epoch: "e1", seq: 3, id: "m", from: "bob", at: 1_000_000, body: { text: "hello" } },
  ]);
  assert.deepEqual(all, messages);
  assert.deepEqual(room.position, { epoch: "e1", seq: 3 });
});

test("a join returns epoch, head and `recovered`", async (t) => {
  const { client, server } = await start(t);
  server.append("room:lobby", { body: 1 });
  assert.deepEqual(await client.room("lobby").join(), { channel: "room:lobby", epoch: "e1", head: 1, recovered: undefined });
  assert.deepEqual(await client.room("lobby").join({ since: 0 }), { channel: "room:lobby", epoch: "e1", head: 1, recovered: true });
});

test("a duplicate frame is dropped", async (t) => {
  const { server, room, messages, quiet } = await member(t);
  server.onPost = (_, frame) => (isPost(frame) ? [frame, frame] : [frame]);
  server.append("room:lobby", { body: "a" });
  server.append("room:lobby", { body: "b" });
  await quiet();
  assert.deepEqual(messages.map(({ body }) => body), ["a", "b"]);
  assert.equal(server.sent("join").length, 1, "and nobody takes it for a gap");
});

test("the entries of a messages frame are handed out one by one", async (t) => {
  const { connection, channel, messages } = await member(t);
  const entries = [1, 2, 3].map((seq) => ({ seq, id: `m${seq}`, from: "svc", body: null, at: 5 }));
  channel.entries.push(...entries);
  connection.send({ type: "messages", channel: "room:lobby", epoch: "e1", messages: entries });
  await until(() => messages.length === 3);
  assert.deepEqual(seqs(messages), [1, 2, 3]);
  assert.equal(messages[0].body, null);
});

test("a gap is fetched, and later messages wait for it", async (t) => {
  const { server, messages } = await member(t, 1);
  server.onPost = DROP;
  server.append("room:lobby", { body: "lost" });
  server.onPost = (_, frame) => [frame];
  server.append("room:lobby", { body: "early" });
  await until(() => messages.length === 2);
  assert.deepEqual(messages.map(({ body }) => body), ["lost", "early"]);
  const { ref, ...join } = server.sent("join").at(-1);
  assert.deepEqual(join, { action: "join", room: "lobby", since: 1, epoch: "e1" });
});

test("overtaking messages come in order", async (t) => {
  const { server, connection, frame, channel, messages } = await member(t);
  for (let n = 0; n < 4; n += 1) {
    server.onPost = DROP;
    server.append("room:lobby", { body: n });
  }
  server.onPost = (_, frame) => [frame];
  let answer;
  server.onFrame = (_, asked) => asked.action === "join" && ((answer = () => connection.answer(asked)), true);
  for (const seq of [3, 2, 4, 1]) connection.send(frame(channel.entries[seq - 1]));
  (await until(() => answer))();
  await until(() => messages.length === 4);
  assert.deepEqual(seqs(messages), [1, 2, 3, 4]);
});

test("frames before the joined frame wait for it", async (t) => {
  const { client, server } = await start(t);
  server.append("room:lobby", { body: "old" });
  server.append("room:lobby", { body: "missed" });
  const room = client.room("lobby");
  const messages = record(room, "message");
  server.onFrame = (connection, frame) => {
    if (frame.action !== "join") return false;
    // The next message overtakes the answer, which has the log as it was before.
    const answer = connection.carryOut(frame);
    server.append("room:lobby", { body: "new" });
    connection.send({ ...answer, ref: frame.ref });
    return true;
  };
  await room.join({ since: 1, epoch: "e1" });
  assert.deepEqual(messages.map(({ body }) => body), ["missed", "new"]);
});

test("a fresh join starts at the head, with frames before the answer", async (t) => {
  const { client, server } = await start(t);
  server.append("room:lobby", { body: "old" });
  const room = client.room("lobby");
  const messages = record(room, "message");
  server.onFrame = (connection, frame) => {
    if (frame.action !== "join") return false;
    connection.members.add("room:lobby");
    server.append("room:lobby", { body: "new" });
    connection.answer(frame);
    return true;
  };
  const { head } = await room.join();
  assert.equal(head, 2);
  assert.deepEqual(messages.map(({ body }) => body), ["new"]);
});

test("after `more: true` the client joins until it has everything", async (t) => {
  const { client, server } = await start(t);
  for (let n = 1; n <= 10; n += 1) server.append("room:lobby", { body: n });
  server.pageSize = 3;
  const messages = record(client, "message");
  const { recovered } = await client.room("lobby").join({ since: 0 });
  assert.equal(recovered, true);
  assert.deepEqual(seqs(messages), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual(server.sent("join").map(({ since, epoch }) => [since, epoch]), [[0, undefined], [3, "e1"], [6, "e1"], [9, "e1"]]);
});

test("`recovered: false` is a reset, and goes on from the head", async (t) => {
  const { client, server, room, messages, channel } = await member(t, 3);
  const told = record(client, "reset", "message");
  channel.reset();
  server.append("room:lobby", { body: "new life" });
  await until(() => told.length > 0);
  assert.deepEqual(told[0], { name: "reset", channel: "room:lobby", epoch: "e2", head: 1 });
  server.append("room:lobby", { body: "next" });
  await until(() => messages.at(-1)?.body === "next");
  assert.deepEqual(room.position, { epoch: "e2", seq: 2 });
});

test("a late frame of an older epoch costs one join", async (t) => {
  const { client, server, room, messages, connection, channel, frame, quiet } = await member(t, 1);
  const late = frame({ seq: 2, id: "late", from: "svc", body: "late", at: 5 });
  channel.reset();
  server.append("room:lobby", { body: "new life" });
  await until(() => room.position.epoch === "e2");
  const resets = record(client, "reset");
  const joins = server.sent("join").length;
  connection.send(late);
  await until(() => server.sent("join").length > joins);
  server.append("room:lobby", { body: "next" });
  await until(() => messages.at(-1)?.body === "next");
  await quiet();
  assert.equal(server.sent("join").length, joins + 1);
  assert.deepEqual(resets, []);
  assert.ok(messages.every(({ body }) => body !== "late"));
});

test("an unrecovered join stays so, though a later one fills a gap", async (t) => {
  const { client, server } = await start(t);
  for (let n = 0; n < 5; n += 1) server.append("room:lobby", { body: n });
  const room = client.room("lobby");
  const messages = record(room, "message");
  server.onFrame = (connection, asked) => {
    if (asked.action !== "join") return false;
    server.onFrame = () => false;
    connection.members.add("room:lobby");
    const { entries } = server.channel("room:lobby");
    connection.send({ type: "message", channel: "room:lobby", epoch: "e1", ...entries[4] });
    connection.send({ type: "joined", channel: "room:lobby", epoch: "e1", head: 3, recovered: false, ref: asked.ref });
    return true;
  };
  const { recovered } = await room.join({ since: 1, epoch: "e0" });
  assert.equal(recovered, false);
  assert.deepEqual(seqs(messages), [4, 5]);
});

test("a join after expired messages is not recovered", async (t) => {
  const { client, server } = await start(t);
  for (let n = 0; n < 5; n += 1) server.append("room:lobby", { body: n });
  server.channel("room:lobby").expired = 3;
  const resets = record(client, "reset");
  const { recovered } = await client.room("lobby").join({ since: 1, epoch: "e1" });
  assert.equal(recovered, false);
  assert.deepEqual(resets, [{ channel: "room:lobby", epoch: "e1", head: 5 }]);
});

test("a failed join is tried again with the same since", async (t) => {
  const { client, server, clock } = await start(t);
  server.append("room:lobby", { body: "first" });
  const room = client.room("lobby");
  const messages = record(room, "message");
  let refusals = 2;
  server.onFrame = (connection, frame) => {
    if (frame.action !== "join" || refusals === 0) return false;
    refusals -= 1;
    connection.carryOut(frame); // The server may have carried it out all the same.
    connection.refuse(frame, "unavailable");
    server.append("room:lobby", { body: "while joining" });
    return true;
  };
  const joined = room.join({ since: 0 });
  for (const tries of [1, 2]) {
    await until(() => server.sent("join").length === tries);
    await until(() => clock.due - clock.now() <= 1_000, "the next try is due");
    assert.deepEqual(messages, []);
    await clock.advance(1_000);
  }
  await joined;
  assert.deepEqual(seqs(messages), [1, 2, 3]);
  assert.deepEqual(server.sent("join").map(({ since }) => since), [0, 0, 0]);
});

/** The server carries out a join, and messages come, but its answer is lost: with the socket or alone. */
for (const [how, lose] of [
  ["its socket", (connection) => connection.cut()],
  ["an error", (connection, frame) => connection.refuse(frame, "unavailable")],
]) {
  for (const since of [undefined, 0]) {
    test(`a join (since: ${since}) that lost its answer to ${how} has no gap`, async (t) => {
      const { client, server, clock } = await start(t);
      for (let n = 1; n <= 2; n += 1) server.append("room:lobby", { body: n });
      await until(() => client.status === "live");
      const room = client.room("lobby");
      const told = record(room, "message", "reset");
      const joins = [];
      server.onFrame = (connection, frame) => {
        if (frame.action !== "join") return false;
        server.onFrame = () => false;
        joins.push({ connection, frame });
        connection.carryOut(frame);
        return true;
      };
      const joined = room.join({ since });
      const { connection, frame } = await until(() => joins[0]);
      server.append("room:lobby", { body: 3 });
      server.onPost = DROP;
      server.append("room:lobby", { body: 4 });
      server.onPost = (_, it) => [it];
      server.append("room:lobby", { body: 5 });
      await client.inbox.history(); // With this answer, everything that was sent before it has come.
      lose(connection, frame);
      server.append("room:lobby", { body: 6 });
      await turnUntil(clock, 100, () => server.sent("join").length === 2);
      const { head } = await joined;
      server.append("room:lobby", { body: 7 });
      await until(() => told.at(-1)?.body === 7);
      const first = since === undefined ? told[0].seq : 1;
      assert.ok(since === 0 || first <= head + 1, "everything after the join's answer is there");
      assert.deepEqual(seqs(told), Array.from({ length: 8 - first }, (_, n) => first + n));
    });
  }
}

test("a gap that never fills ends in a reset", async (t) => {
  const { client, server, clock, messages } = await member(t, 1);
  const resets = record(client, "reset");
  server.onPost = DROP;
  server.append("room:lobby", { body: "hidden" });
  server.onPost = (_, frame) => (frame.type === "joined" ? [{ ...frame, messages: [] }] : [frame]);
  server.append("room:lobby", { body: "shown" });
  await turnUntil(clock, 100, () => resets.length > 0);
  assert.deepEqual(messages.map(({ body }) => body), ["shown"]);
  assert.ok(server.sent("join").length >= 5);
});

test("messages beyond maxHeld are dropped and fetched later", async (t) => {
  const { server, clock, messages, room, quiet } = await member(t, 0, { maxHeld: 3 });
  server.onPost = DROP;
  server.append("room:lobby", { body: 0 });
  server.onPost = (_, frame) => [frame];
  const joins = [];
  server.onFrame = (connection, frame) => frame.action === "join" && joins.push([connection, frame]) === 1;
  for (let n = 1; n < 20; n += 1) server.append("room:lobby", { body: n });
  const [connection, first] = await until(() => joins[0]);
  await quiet();
  assert.deepEqual(messages, []);
  // The answer holds the first message only, as if the log had no more at that time.
  const { epoch, entries } = server.channel("room:lobby");
  connection.send({ type: "joined", channel: "room:lobby", epoch, head: 1, recovered: true, messages: [entries[0]], ref: first.ref });
  await until(() => messages.length === 20);
  assert.deepEqual(seqs(messages), Array.from({ length: 20 }, (_, n) => n + 1));
  assert.equal(joins[1][1].since, 4, "three were held after the first");
  assert.equal(clock.due > clock.now(), true);
});

test("an unfollowed channel hands out nothing", async (t) => {
  const { client, server, quiet } = await member(t);
  const told = record(client, "message");
  server.append("everyone", { body: "psst" });
  server.append("user:alice", { body: "psst" });
  await quiet();
  assert.deepEqual(told, []);
});

test("the inbox and everyone are followed by default", async (t) => {
  const { client, server } = await start(t, { inbox: true, everyone: true });
  const inbox = record(client.inbox, "message");
  const everyone = record(client.everyone, "message");
  await until(() => client.status === "live");
  assert.equal(client.inbox.name, "user:alice");
  assert.deepEqual(server.sent("join").map(({ channel }) => channel).sort(), ["everyone", "user:alice"]);
  server.append("user:alice", { body: "you" });
  server.append("everyone", { body: "all" });
  await until(() => inbox.length + everyone.length === 2);
  assert.deepEqual([inbox[0].body, everyone[0].body], ["you", "all"]);
});

test("the inbox can be read from its beginning", async (t) => {
  const { client, server } = await start(t, { inbox: true });
  server.append("user:alice", { body: "first" });
  const messages = record(client.inbox, "message");
  await client.inbox.join({ since: 0 });
  assert.deepEqual(messages.map(({ body }) => body), ["first"]);
  assert.equal(server.sent("join").length, 1);
});

test("leaving ends the messages and forgets the position", async (t) => {
  const { client, server, room, messages } = await member(t, 2);
  const left = room.leave();
  server.append("room:lobby", { body: "too late" });
  await left;
  assert.deepEqual(messages, []);
  assert.deepEqual(client.state, {});
  assert.equal(room.position, null);
  assert.deepEqual(server.sent("leave").map(({ room: id }) => id), ["lobby"]);
  server.append("room:lobby", { body: "unseen" });
  assert.deepEqual(await room.join(), { channel: "room:lobby", epoch: "e1", head: 4, recovered: undefined });
});

test("leave() during a join leaves after its answer", async (t) => {
  const { client, server, quiet } = await start(t);
  const room = client.room("lobby");
  let answer;
  server.onFrame = (connection, frame) => frame.action === "join" && ((answer = () => connection.answer(frame)), true);
  const joined = assert.rejects(room.join(), { code: "not_a_member" });
  await until(() => answer);
  const left = room.leave();
  await joined;
  await quiet();
  assert.deepEqual(server.sent("leave"), [], "the two could overtake each other");
  answer();
  await until(() => server.sent("leave").length === 1);
  await left;
  await until(() => !server.connections[0].members.has("room:lobby"));
});

test("leave() after an uncertain join leaves all the same", async (t) => {
  const { client, server, clock } = await start(t);
  const room = client.room("lobby");
  let isRefused = false;
  server.onFrame = (connection, frame) => {
    if (frame.action !== "join") return false;
    connection.carryOut(frame);
    connection.refuse(frame, "unavailable");
    return (isRefused = true);
  };
  const joined = assert.rejects(room.join(), { code: "not_a_member" });
  await until(() => isRefused);
  await client.inbox.history(); // The error has come.
  const left = room.leave();
  await joined;
  await turnUntil(clock, 100, () => !server.connections[0].members.has("room:lobby"));
  await left;
  assert.equal(server.sent("join").length, 1);
});

test("leave() and join() at once start again", async (t) => {
  const { client, server } = await start(t);
  for (let n = 0; n < 3; n += 1) server.append("room:lobby", { body: n });
  const room = client.room("lobby");
  await room.join();
  const messages = record(room, "message");
  void room.leave();
  await room.join({ since: 1 });
  assert.deepEqual(seqs(messages), [2, 3]);
  assert.ok(server.connections[0].members.has("room:lobby"));
});

test("a join from elsewhere counts during another join", async (t) => {
  const { client, server } = await start(t);
  for (let n = 0; n < 3; n += 1) server.append("room:lobby", { body: n });
  const room = client.room("lobby");
  const messages = record(room, "message");
  let answer;
  server.onFrame = (connection, frame) => frame.action === "join" && ((answer = () => connection.answer(frame)), true);
  const first = room.join();
  await until(() => answer);
  const second = room.join({ since: 1 });
  server.onFrame = () => false;
  answer();
  await Promise.all([first, second]);
  assert.deepEqual(seqs(messages), [2, 3]);
  assert.deepEqual(server.sent("join").map(({ since }) => since), [undefined, 1]);
});

test("a kick ends the room and reports its position", async (t) => {
  const { client, server, room, connection, messages } = await member(t, 2);
  const left = record(client, "left");
  connection.members.delete("room:lobby");
  connection.send({ type: "left", channel: "room:lobby", reason: "kicked" });
  await until(() => left.length === 1);
  assert.deepEqual(left, [{ channel: "room:lobby", reason: "kicked", position: { epoch: "e1", seq: 2 } }]);
  assert.deepEqual(client.state, {});
  await assert.rejects(room.publish("x"), { code: "kicked", message: "`alice` was kicked from `room:lobby`" });
  server.append("room:lobby", { body: "missed" });
  await room.join({ since: left[0].position.seq, epoch: left[0].position.epoch });
  assert.deepEqual(messages.map(({ body }) => body), ["missed"]);
});

test("a banned join fails at once, whatever its retry_ms", async (t) => {
  const { client, server, clock } = await start(t);
  server.onFrame = (connection, frame) => frame.action === "join" && (connection.refuse(frame, "banned", { retry_ms: 7_200_000 }), true);
  const left = record(client, "left");
  await assert.rejects(client.room("lobby").join(), { name: "HubbubError", code: "banned", retryMs: 7_200_000 });
  await clock.advance(10_000);
  assert.equal(server.sent("join").length, 1);
  assert.deepEqual(left, [], "it was never a member");
});

test("a channel that refuses the rejoin is no longer followed", async (t) => {
  const { client, server, clock, room, connection } = await member(t, 1);
  const left = record(room, "left");
  server.channel("room:lobby").isClosed = true;
  connection.cut();
  await until(() => client.status === "offline");
  await clock.advance(1_000);
  await until(() => left.length === 1);
  assert.equal(left[0].reason, "room_closed");
  assert.deepEqual(left[0].position, { epoch: "e1", seq: 1 });
  assert.equal(left[0].error.code, "room_closed");
  await until(() => client.status === "live", "other channels don't wait for it");
});

test("a deletion is an event in its place in the order", async (t) => {
  const { server, room } = await member(t, 2);
  const told = record(room, "message", "deleted");
  server.onPost = DROP;
  server.channel("room:lobby").erase(1);
  server.append("room:lobby", { deleted: 1 }, { from: "mod" });
  server.onPost = (_, frame) => [frame];
  server.append("room:lobby", { body: "after" });
  await until(() => told.length === 2);
  assert.deepEqual(told[0], { name: "deleted", channel: "room:lobby", epoch: "e1", seq: 1, by: "mod", at: 1_000_000 });
  assert.equal(told[1].body, "after");
  assert.deepEqual(room.position, { epoch: "e1", seq: 4 });
});

test("a deleted message is recovered without its body", async (t) => {
  const { client, server } = await start(t);
  server.append("room:lobby", { body: "rude" }, { from: "bob", id: "m" });
  server.channel("room:lobby").erase(1);
  server.append("room:lobby", { deleted: 1 }, { from: "mod" });
  const told = record(client, "message", "deleted");
  await client.room("lobby").join({ since: 0 });
  assert.deepEqual(told, [
    { name: "message", channel: "room:lobby", epoch: "e1", seq: 1, id: "m", from: "bob", at: 1_000_000, deleted: true },
    { name: "deleted", channel: "room:lobby", epoch: "e1", seq: 1, by: "mod", at: 1_000_000 },
  ]);
});

test("a closed room hands out earlier messages, then ends", async (t) => {
  const { client, server, room, clock } = await member(t);
  const told = record(client, "message", "closed", "left");
  const loop = collect(room);
  server.append("room:lobby", { body: "last" });
  server.append("room:lobby", { closed: "erased" }, { from: "mod" });
  await until(() => told.length === 2);
  assert.equal(told[0].body, "last");
  const { name, ...closed } = told[1];
  assert.deepEqual(closed, {
    channel: "room:lobby", epoch: "e1", seq: 2, by: "mod", at: 1_000_000, isErased: true, isReopened: false,
  });
  assert.deepEqual(client.state, {});
  assert.deepEqual((await loop).map(({ body }) => body), ["last"]);
  await assert.rejects(room.publish("x"), { code: "room_closed" });
  server.channel("room:lobby").isClosed = true;
  await assert.rejects(room.join(), { code: "room_closed" });
  await clock.advance(1_000);
  assert.equal(server.sent("join").length, 2, "it isn't joined by itself");
});

test("a room closed and opened while away is still followed", async (t) => {
  const { client, server, room } = await start(t).then((env) => ({ ...env, room: env.client.room("lobby") }));
  server.append("room:lobby", { body: 1 });
  server.append("room:lobby", { closed: "kept" }, { from: "mod" });
  server.append("room:lobby", { body: 3 });
  const told = record(client, "message", "closed");
  await room.join({ since: 0 });
  assert.deepEqual(told.map(({ name, seq, isReopened }) => [name, seq, isReopened]), [
    ["message", 1, undefined], ["closed", 2, true], ["message", 3, undefined],
  ]);
  server.append("room:lobby", { body: 4 });
  await until(() => told.length === 4);
});

test("a room closed and opened during a join is still followed", async (t) => {
  const { client, server, room } = await member(t);
  const told = record(client, "message", "closed");
  server.onFrame = (connection, frame) => {
    if (frame.action !== "join") return false;
    server.append("room:lobby", { closed: "kept" }, { from: "mod" });
    connection.answer(frame);
    return true;
  };
  await room.join();
  server.append("room:lobby", { body: "open again" });
  await until(() => told.length === 2);
  assert.deepEqual(told.map(({ name, isReopened }) => [name, isReopened]), [["closed", true], ["message", undefined]]);
});

test("an entry of an unknown kind takes its place in the order", async (t) => {
  const { server, messages } = await member(t);
  server.append("room:lobby", { reaction: "+1" });
  server.append("room:lobby", { body: "next" });
  await until(() => messages.length === 1);
  assert.equal(messages[0].seq, 2);
  assert.equal(server.sent("join").length, 1);
});

test("unreadable frames are ignored", async (t) => {
  const { server, connection, messages } = await member(t);
  connection.transport.send("{not json");
  connection.transport.send("null");
  connection.send({ message: "Internal server error", connectionId: "c" });
  connection.send({ type: "news", channel: "room:lobby" });
  server.append("room:lobby", { body: 1 });
  await until(() => messages.length === 1);
});

test("history pages backwards, deleted messages included", async (t) => {
  const { room, server } = await member(t, 5);
  server.channel("room:lobby").erase(2);
  server.append("room:lobby", { deleted: 2 }, { from: "mod" });
  const last = await room.history({ limit: 3 });
  assert.deepEqual([seqs(last.messages), last.before], [[4, 5], 4]);
  const first = await room.history({ before: last.before, limit: 10 });
  assert.deepEqual([seqs(first.messages), first.before], [[1, 2, 3], null]);
  assert.deepEqual([first.messages[1].deleted, "body" in first.messages[1]], [true, false]);
  assert.equal(first.epoch, "e1");
});

test("history of the inbox needs no join", async (t) => {
  const { client, server } = await start(t);
  server.append("user:alice", { body: "hi" });
  assert.equal((await client.inbox.history()).messages[0].body, "hi");
  assert.deepEqual(server.sent("join"), []);
});

test("who() names the members", async (t) => {
  const { room } = await member(t);
  assert.deepEqual(await room.who(), { channel: "room:lobby", count: 1, users: ["alice"] });
});

test("moderation commands are sent as the protocol says", async (t) => {
  const { client, server } = await start(t);
  const room = client.room("lobby");
  const orders = [
    () => room.kick("bob"), () => room.ban("bob", 5_000), () => room.ban("bob", new Date(6_000)), () => room.unban("bob"),
    () => room.delete(3), () => room.close(), () => room.close({ erase: true }), () => room.open(),
    () => client.kick("bob"), () => client.ban("bob", 7_000), () => client.unban("bob"),
  ];
  for (const order of orders) await order();
  assert.deepEqual(await room.kick("bob"), { channel: "room:lobby", command: "kick", user: "bob" });
  const sent = server.frames.map(({ frame: { ref, ...frame } }) => frame);
  assert.deepEqual(sent.slice(0, -1), [
    { action: "kick", room: "lobby", user: "bob" },
    { action: "ban", room: "lobby", user: "bob", until: 5_000 },
    { action: "ban", room: "lobby", user: "bob", until: 6_000 },
    { action: "unban", room: "lobby", user: "bob" },
    { action: "delete", room: "lobby", seq: 3 },
    { action: "close", room: "lobby" },
    { action: "close", room: "lobby", erase: true },
    { action: "open", room: "lobby" },
    { action: "kick", user: "bob" },
    { action: "ban", user: "bob", until: 7_000 },
    { action: "unban", user: "bob" },
  ]);
});

test("a throwing listener doesn't stop the others", async (t) => {
  const { server, room, messages, quiet } = await member(t);
  const stop = room.on("message", () => {
    throw new Error("a listener's own fault");
  });
  const faults = [];
  const [original] = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => faults.push(error.message));
  t.after(() => (process.removeAllListeners("uncaughtException"), original && process.on("uncaughtException", original)));
  server.append("room:lobby", { body: 1 });
  await until(() => messages.length === 1 && faults.length === 1);
  stop();
  server.append("room:lobby", { body: 2 });
  await until(() => messages.length === 2);
  await quiet();
  assert.deepEqual(faults, ["a listener's own fault"]);
});

test("a loop gets messages from its start until the room is left", async (t) => {
  const { server, room, quiet } = await member(t);
  const loop = collect(room);
  server.append("room:lobby", { body: 1 });
  server.append("room:lobby", { body: 2 });
  await quiet();
  await room.leave();
  assert.deepEqual((await loop).map(({ body }) => body), [1, 2]);
});

test("a loop that ends early gets nothing more", async (t) => {
  const { server, room, quiet } = await member(t, 0, { maxUnread: 2 });
  setImmediate(() => server.append("room:lobby", { body: 1 }));
  const iterator = room[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value.body, 1);
  server.append("room:lobby", { body: 2 });
  await quiet();
  assert.deepEqual(await iterator.return(), { value: undefined, done: true });
  assert.deepEqual(await iterator.next(), { value: undefined, done: true });
});

test("a loop ends with the client, and throws the server's error", async (t) => {
  const { client, room, open, server } = await member(t);
  const loop = collect(room);
  await turn();
  client.close();
  assert.deepEqual(await loop, []);
  assert.deepEqual(await collect(room), [], "and one that begins later ends at once");

  const other = open().room("lobby");
  await other.join();
  const refused = assert.rejects(collect(other), { code: "banned", message: "go away" });
  server.connections.at(-1).send({ type: "closing", code: "banned", message: "go away", reconnect: false });
  await refused;
});

test("a slow loop ends with an error after what it holds", async (t) => {
  const { server, room, quiet } = await member(t, 0, { maxUnread: 2 });
  const iterator = room[Symbol.asyncIterator]();
  for (let n = 0; n < 5; n += 1) server.append("room:lobby", { body: n });
  await quiet();
  assert.equal((await iterator.next()).value.body, 0);
  assert.equal((await iterator.next()).value.body, 1);
  await assert.rejects(iterator.next(), { code: "too_slow" });
  assert.equal((await iterator.next()).done, true);
});

async function collect(room) {
  const messages = [];
  for await (const message of room) messages.push(message);
  return messages;
}

test("a join with a senseless answer is tried again after a pause", async (t) => {
  const { client, server, clock, quiet } = await start(t);
  server.append("room:lobby", { body: "one" });
  let isBroken = true;
  server.onPost = (_, frame) => [frame.type === "joined" && isBroken ? { ...frame, messages: 5 } : frame];
  const room = client.room("lobby");
  const joined = room.join({ since: 0 });
  await until(() => server.sent("join").length > 0);
  await quiet(); // The next join would have come by now.
  assert.equal(server.sent("join").length, 1);
  isBroken = false;
  await turnUntil(clock, 500, () => room.position?.seq === 1);
  assert.equal((await joined).recovered, true);
  assert.equal(server.sent("join").length, 2);
});
