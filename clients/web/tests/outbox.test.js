/** Publishing: one message at a time, in order, and once, even if answers are lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { record, start, turn, turnUntil, until } from "./support.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const bodies = (server, name = "room:lobby") => server.channel(name).entries.map(({ body }) => body);

async function member(t, options) {
  const env = await start(t, options);
  const room = env.client.room("lobby");
  await room.join();
  return { ...env, room };
}

/** Takes messages away from the server. `answer()` of each carries it out. */
function withhold(server) {
  const withheld = [];
  server.onFrame = (connection, frame) => {
    if (frame.action !== "publish" && frame.action !== "direct") return false;
    withheld.push({ connection, frame, answer: () => connection.answer(frame) });
    return true;
  };
  return withheld;
}

test("publish() resolves when accepted, with the given id", async (t) => {
  const { server, room } = await member(t);
  assert.deepEqual(await room.publish({ text: "hi" }, { id: "m-1" }), { id: "m-1", channel: "room:lobby" });
  const [{ ref, ...frame }] = server.sent("publish");
  assert.deepEqual(frame, { action: "publish", room: "lobby", id: "m-1", body: { text: "hi" } });
});

test("a message without an id gets a random one", async (t) => {
  const { server, room } = await member(t);
  await room.publish(1);
  await room.publish(2);
  const ids = server.sent("publish").map(({ id }) => id);
  assert.match(ids[0], /^[0-9a-f]{32}$/);
  assert.notEqual(ids[0], ids[1]);
});

test("a direct message needs no join", async (t) => {
  const { client, server } = await start(t);
  assert.deepEqual(await client.direct("bob", "psst", { id: "m" }), { id: "m", channel: "user:bob" });
  const [{ ref, ...frame }] = server.sent("direct");
  assert.deepEqual(frame, { action: "direct", to: "bob", id: "m", body: "psst" });
});

test("a channel sends one message at a time, and waits for no other", async (t) => {
  const { client, server, room, quiet } = await member(t);
  const withheld = withhold(server);
  const all = [room.publish("a1"), room.publish("a2"), client.direct("bob", "b1"), client.direct("bob", "b2")];
  await quiet();
  assert.deepEqual(withheld.map(({ frame }) => frame.body), ["a1", "b1"]);
  withheld[1].answer();
  await until(() => withheld.length === 3);
  assert.equal(withheld[2].frame.body, "b2");
  withheld[0].answer();
  await until(() => withheld.length === 4);
  for (const one of withheld.slice(2)) one.answer();
  await Promise.all(all);
  assert.deepEqual(bodies(server), ["a1", "a2"]);
});

test("later changes of a body have no effect", async (t) => {
  const { server, room } = await member(t);
  const body = { text: "as it was" };
  const published = room.publish(body);
  body.text = "as it is";
  await published;
  assert.deepEqual(bodies(server), [{ text: "as it was" }]);
});

test("messages published offline are sent in order afterwards", async (t) => {
  const { client, server, clock, room } = await member(t);
  server.connections[0].cut();
  await until(() => client.status === "offline");
  const all = Array.from({ length: 5 }, (_, n) => room.publish(n));
  const direct = client.direct("bob", "psst");
  await turn();
  assert.deepEqual(server.sent("publish"), []);
  await clock.advance(SECOND);
  await Promise.all([...all, direct]);
  assert.deepEqual(bodies(server), [0, 1, 2, 3, 4]);
  assert.deepEqual(bodies(server, "user:bob"), ["psst"]);
});

test("messages published before the first socket wait for the join", async (t) => {
  const { client, server } = await start(t);
  const room = client.room("lobby");
  const joined = room.join();
  await room.publish("first");
  await joined;
  assert.deepEqual(server.frames.map(({ frame }) => frame.action), ["join", "publish"]);
});

test("a publish cut from its answer is sent again before the next", async (t) => {
  const { client, server, clock, room } = await member(t);
  // The message is not in the log yet.
  server.onFrame = (connection, { action }) => action === "publish" && (connection.cut(), true);
  const all = [room.publish("a"), room.publish("b")];
  await until(() => client.status === "offline");
  server.onFrame = () => false;
  await clock.advance(SECOND);
  const [{ id }] = await Promise.all(all);
  const sent = server.sent("publish").map((frame) => [frame.body, frame.id === id]);
  assert.deepEqual(sent, [["a", true], ["a", true], ["b", false]]);
  assert.deepEqual(bodies(server), ["a", "b"]);
});

test("a direct message cut from its answer is sent again", async (t) => {
  const { client, server, clock } = await start(t);
  server.onFrame = (connection, frame) => frame.action === "direct" && (connection.carryOut(frame), connection.cut(), true);
  const sent = client.direct("bob", "once");
  await until(() => client.status === "offline");
  server.onFrame = () => false;
  await clock.advance(SECOND);
  const { id } = await sent;
  assert.deepEqual(server.sent("direct").map((frame) => frame.id), [id, id]);
  assert.deepEqual(bodies(server, "user:bob"), ["once"]);
});

test("an unanswered message is sent again with the same id", async (t) => {
  const { client, server, clock, quiet } = await start(t);
  const withheld = withhold(server);
  const sent = client.direct("bob", "once");
  await until(() => withheld.length === 1);
  await clock.advance(SECOND);
  client.wake(); // The socket is alive.
  await quiet();
  await client.inbox.history();
  await clock.advance(29 * SECOND);
  await turnUntil(clock, 100, () => withheld.length === 2);
  withheld[1].answer();
  const { id } = await sent;
  assert.deepEqual(server.sent("direct").map((frame) => frame.id), [id, id]);
  assert.equal(server.connected, 1);
});

test("a message that came back counts as accepted", async (t) => {
  const { client, server, clock, room } = await member(t);
  server.onFrame = (connection, frame) => frame.action === "publish" && (connection.carryOut(frame), true); // The answer is lost.
  const messages = record(room, "message");
  const published = room.publish("seen", { id: "m" });
  await until(() => messages.length === 1);
  server.connections[0].cut();
  await until(() => client.status === "offline");
  await clock.advance(10 * MINUTE);
  await turnUntil(clock, SECOND, () => client.status === "live");
  assert.deepEqual(await published, { id: "m", channel: "room:lobby" });
  assert.equal(server.sent("publish").length, 1);
});

test("a message in doubt is not sent after its id may be forgotten", async (t) => {
  const { client, server, clock } = await start(t);
  server.onFrame = (connection, frame) => frame.action === "direct" && (connection.cut(), true);
  const sent = assert.rejects(client.direct("bob", "once", { id: "m" }), { code: "in_doubt", id: "m" });
  const next = client.direct("bob", "twice");
  await until(() => client.status === "offline");
  server.onFrame = () => false;
  server.refusal = 503;
  await turnUntil(clock, 10 * SECOND, () => clock.now() > 1_000_000 + 5 * MINUTE);
  server.refusal = null;
  await turnUntil(clock, SECOND, () => client.status === "live");
  await sent;
  await next;
  assert.deepEqual(server.sent("direct").map(({ body }) => body), ["once", "twice"]);
});

test("an unsent message waits without a limit", async (t) => {
  const { client, server, clock, room } = await member(t);
  server.connections[0].cut();
  await until(() => client.status === "offline");
  server.refusal = 503;
  const published = room.publish("patient");
  await turnUntil(clock, 10 * SECOND, () => clock.now() > 1_000_000 + 10 * MINUTE);
  server.refusal = null;
  await turnUntil(clock, SECOND, () => client.status === "live");
  await published;
  assert.deepEqual(bodies(server), ["patient"]);
});

test("`too_fast` holds up the channel for `retry_ms`", async (t) => {
  const { server, clock, room, quiet } = await member(t);
  let isFull = true;
  server.onFrame = (connection, frame) => {
    if (frame.action !== "publish" || !isFull) return false;
    connection.refuse(frame, "too_fast", { retry_ms: 700 });
    return true;
  };
  const all = [room.publish("a", { id: "m" }), room.publish("b")];
  await until(() => server.sent("publish").length === 1);
  await until(() => clock.due - clock.now() === 700);
  isFull = false;
  await clock.advance(699);
  await quiet();
  assert.equal(server.sent("publish").length, 1);
  await clock.advance(1);
  await Promise.all(all);
  assert.deepEqual(bodies(server), ["a", "b"]);
});

test("`banned` is an error at once, though it has a retry_ms", async (t) => {
  const { server, room, clock } = await member(t);
  server.onFrame = (connection, frame) => {
    if (frame.action === "publish") connection.refuse(frame, "banned", { retry_ms: 3_600_000, id: frame.id });
    return frame.action === "publish";
  };
  await assert.rejects(room.publish("x", { id: "m" }), { code: "banned", retryMs: 3_600_000, id: "m", message: "no: banned" });
  server.onFrame = () => false;
  await room.publish("next");
  await clock.advance(SECOND);
  assert.deepEqual(bodies(server), ["next"]);
});

test("`unavailable` is tried again with growing pauses", async (t) => {
  const { server, clock, room } = await member(t);
  const at = [];
  server.onFrame = (connection, frame) => {
    if (frame.action !== "publish" || at.push(clock.now()) > 4) return false;
    connection.refuse(frame, "unavailable");
    return true;
  };
  const published = room.publish("x");
  for (const tries of [1, 2, 3, 4]) {
    await until(() => at.length === tries);
    await until(() => clock.due - clock.now() <= 8 * SECOND);
    await clock.advance(clock.due - clock.now());
  }
  await published;
  assert.deepEqual(at.slice(1).map((one, n) => one - at[n]), [500, 1000, 2000, 4000]);
});

test("a lasting error rejects one message, and the next goes on", async (t) => {
  const { server, room } = await member(t);
  server.onFrame = (connection, frame) => frame.body === "big" && (connection.refuse(frame, "body_too_large"), true);
  const all = [assert.rejects(room.publish("big"), { code: "body_too_large" }), room.publish("small")];
  await Promise.all(all);
  assert.deepEqual(bodies(server), ["small"]);
});

test("a frame that would cut the socket is not sent", async (t) => {
  const { server, room } = await member(t);
  await assert.rejects(room.publish("ä".repeat(16_384)), { code: "body_too_large", message: /may have 32768: send less/ });
  await room.publish("ä".repeat(16_000));
  assert.equal(server.sent("publish").length, 1);
});

test("a body that is not JSON is refused at once", async (t) => {
  const { room } = await member(t);
  await assert.rejects(room.publish(undefined), { code: "not_json", message: "the body can't be written as JSON: it is not a JSON value" });
  await assert.rejects(room.publish(1n), { code: "not_json", message: /BigInt/ });
});

test("the outbox has a bound for all channels together", async (t) => {
  const { client, server, clock, room } = await member(t, { maxOutbox: 3 });
  server.connections[0].cut();
  await until(() => client.status === "offline");
  const waiting = [room.publish(1), room.publish(2), client.direct("bob", 3)];
  await assert.rejects(room.publish(4, { id: "m" }), {
    code: "outbox_full",
    id: "m",
    message: "3 messages wait to be accepted: publish `m` again when there are fewer",
  });
  await clock.advance(SECOND);
  await Promise.all(waiting);
  await room.publish(4);
  assert.deepEqual(bodies(server), [1, 2, 4]);
});

test("an unjoined room can't be published to", async (t) => {
  const { client, server } = await start(t);
  await assert.rejects(client.room("lobby").publish(1), { code: "not_a_member", message: "`room:lobby` is not joined: join it first" });
  await assert.rejects(client.room("lobby").who(), { code: "not_a_member" });
  assert.deepEqual(server.frames, []);
});

test("a forgotten member joins again and publishes", async (t) => {
  const { server, room } = await member(t);
  server.connections[0].members.delete("room:lobby");
  await room.publish("x");
  assert.deepEqual(server.frames.map(({ frame }) => frame.action), ["join", "publish", "join", "publish"]);
  server.onFrame = (connection, frame) => frame.action === "publish" && (connection.refuse(frame, "not_a_member"), true);
  await assert.rejects(room.publish("y"), { code: "not_a_member" });
});

test("a kick rejects the messages that wait", async (t) => {
  const { client, server, room } = await member(t);
  const withheld = withhold(server);
  const all = [room.publish("on its way"), assert.rejects(room.publish("waits"), { code: "kicked" })];
  await until(() => withheld.length === 1);
  const left = record(client, "left");
  server.connections[0].send({ type: "left", channel: "room:lobby", reason: "kicked" });
  await until(() => left.length === 1);
  withheld[0].answer();
  await Promise.all(all);
  assert.deepEqual(bodies(server), ["on its way"]);
});

test("commands and reads are tried again until their timeout", async (t) => {
  const { server, clock, room } = await member(t);
  let refusals = 2;
  const codes = ["unavailable", "too_fast"];
  server.onFrame = (connection, frame) => {
    if (frame.action !== "kick" || refusals === 0) return false;
    connection.refuse(frame, codes[--refusals], { retry_ms: 300 });
    return true;
  };
  const kicked = room.kick("bob");
  await turnUntil(clock, 100, () => server.sent("kick").length === 3);
  assert.deepEqual(await kicked, { channel: "room:lobby", command: "kick", user: "bob" });
  server.onFrame = (connection, frame) => frame.action === "who" && (connection.refuse(frame, "unavailable"), true);
  const failed = assert.rejects(room.who(), { code: "unavailable" });
  await turnUntil(clock, 500, () => server.sent("who").length >= 5 && clock.due - clock.now() > 60 * SECOND);
  await failed;
});
