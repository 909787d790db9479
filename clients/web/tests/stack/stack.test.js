/** The SDK on a real stack. README.md says how to run it. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { record, seqs } from "../support.js";
import { Stack } from "./stack.js";

/** How long a condition may take on a busy host. */
const PATIENCE = 60_000;
const ADMIN = { join: ["*"], publish: ["*"], history: ["*"], who: ["*"], direct: ["*"], admin: ["*"] };

// Unique ids, so that it can run twice on one stack.
const run = randomUUID().slice(0, 8);
const own = (id) => `${id}-${run}`;

/** @type {Stack} */
let stack;
const clients = [];

before(async () => {
  stack = await Stack.fromEnvironment();
});

after(() => {
  for (const client of clients) client.close();
});

/** Opens a client, with its sockets. */
function open(user, options = {}) {
  const opened = stack.connect(own(user), options);
  clients.push(opened.client);
  return opened;
}

/** Opens a client that has joined a room, with the messages that it gets. */
async function member(user, room, options = {}) {
  const opened = open(user, options);
  const joined = opened.client.room(own(room));
  const messages = record(joined, "message");
  await joined.join();
  return { ...opened, room: joined, messages };
}

/** Waits until a condition holds. */
async function until(what, condition) {
  const deadline = Date.now() + PATIENCE;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE} ms: ${what}`);
    await sleep(10);
  }
}

/** Joins a room that is being opened: a command is durable when it is answered, and takes effect a little later. */
async function joinOnceOpen(room) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    try {
      return await room.join();
    } catch (error) {
      if (error.code !== "room_closed" || Date.now() > deadline) throw error;
    }
  }
}

const bodies = (messages) => messages.map(({ body }) => body);
const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

// In parallel: most of the time is waiting.
describe("on a real stack", { concurrency: true }, () => {
  test("two clients get each message once and in order", async () => {
    const ann = await member("ann", "talk");
    const ben = await member("ben", "talk");
    const reading = (async () => {
      const read = [];
      for await (const { body } of ben.room) if (read.push(body) === 10) return read;
    })();
    const accepted = await Promise.all(numbers(10).map((number) => (number % 2 ? ann : ben).room.publish(number)));
    assert.deepEqual(accepted.map(({ channel }) => channel), Array(10).fill(ann.room.name));
    for (const one of [ann, ben]) {
      await until("all ten have come", () => one.messages.length === 10);
      assert.deepEqual(seqs(one.messages), numbers(10));
      const odd = bodies(one.messages).filter((body) => body % 2);
      assert.deepEqual(odd, [1, 3, 5, 7, 9], "one's own order is kept");
    }
    assert.deepEqual(await reading, bodies(ann.messages));

    const newest = await ann.room.history({ limit: 4 });
    assert.deepEqual(seqs(newest.messages), [7, 8, 9, 10]);
    assert.equal(newest.before, 7);
    const rest = await ann.room.history({ before: newest.before });
    assert.deepEqual([...rest.messages, ...newest.messages], ann.messages);
    assert.equal(rest.before, null);

    const { count, users } = await ann.room.who();
    assert.equal(count, 2);
    assert.deepEqual(users.toSorted(), [own("ann"), own("ben")]);
  });

  test("a cut loses and doubles nothing", async () => {
    const ann = await member("ann", "cut");
    const ben = await member("ben", "cut");
    await ann.room.publish("before");
    await until("it has come", () => ben.messages.length === 1);
    const states = record(ben.client, "status");
    ben.sockets.at(-1).terminate();
    await until("the cut is noticed", () => ben.client.status === "offline");
    const mine = ben.room.publish("mine");
    await Promise.all(["missed 1", "missed 2", "missed 3"].map((body) => ann.room.publish(body)));
    await mine;
    for (const one of [ann, ben]) {
      await until("all have come", () => one.messages.length >= 5);
      assert.deepEqual(seqs(one.messages), numbers(5));
      assert.deepEqual(bodies(one.messages).filter((body) => body !== "mine"), ["before", "missed 1", "missed 2", "missed 3"]);
    }
    await until("it is live", () => ben.client.status === "live");
    assert.deepEqual(states.map(({ status }) => status).filter((status) => status !== "offline"), ["recovering", "live"]);
  });

  test("a move to a fresh socket loses nothing", async () => {
    const ann = await member("ann", "move");
    const ben = await member("ben", "move", { moveAfter: [300, 600] });
    await until("it is live", () => ben.client.status === "live");
    const states = record(ben.client, "status");
    let published = 0;
    // Until there were two moves, however fast the stack is.
    while (published < 20 || ben.sockets.length < 3) await ((published += 1) % 3 ? ann : ben).room.publish(published);
    await until("all have come", () => ben.messages.length === published);
    assert.deepEqual(bodies(ben.messages), numbers(published));
    assert.deepEqual(states, [], "and the application sees nothing of it");
  });

  test("direct messages come to an inbox, now and after a time away", async () => {
    const ann = open("ann");
    const cat = open("cat");
    const came = record(cat.client.inbox, "message");
    await until("both are live", () => ann.client.status === "live" && cat.client.status === "live");
    await ann.client.direct(own("cat"), "now");
    await until("it has come", () => came.length === 1);
    assert.equal(came[0].from, own("ann"));

    const { state } = cat.client;
    cat.client.close();
    await ann.client.direct(own("cat"), "later");
    const back = open("cat", { state: JSON.parse(JSON.stringify(state)) });
    const caught = record(back.client.inbox, "message");
    await until("it has come", () => caught.length > 0);
    assert.deepEqual(bodies(caught), ["later"]);
  });

  test("an unknown position gives a reset", async () => {
    const ann = await member("ann", "reset");
    await ann.room.publish("one");
    await until("it is in the log", () => ann.messages.length === 1);
    const { epoch } = ann.room.position ?? (await ann.room.join());
    const ben = open("ben").client.room(own("reset"));
    const resets = record(ben, "reset");
    const joined = await ben.join({ since: 1_000, epoch });
    assert.equal(joined.recovered, false);
    assert.deepEqual(resets, [{ channel: ben.name, epoch, head: 1 }]);
    assert.deepEqual(bodies((await ben.history()).messages), ["one"]);
  });

  test("after a refused token the next one is fetched", async () => {
    const tokens = [stack.token(own("dan"), { key: "another key" }), stack.token(own("dan"), { seconds: -120 })];
    let asked = 0;
    const { client } = open("dan", { getToken: () => tokens[asked++] ?? stack.token(own("dan")), backoffBase: 10 });
    const states = record(client, "status");
    await until("it is live", () => client.status === "live");
    assert.equal(asked, 3);
    assert.deepEqual(states.map(({ status }) => status), ["offline", "offline", "connecting", "live"]);
    assert.match(states[0].error.message, /refused the token.*40[13]/);
  });

  /** Opens a client that watches a room, with the changes of the other users. */
  async function watcher(user, room, options = {}) {
    const opened = open(user, options);
    const watched = opened.client.room(own(room));
    const told = [];
    const others = (users) => users.filter((one) => one !== own(user));
    watched.on("presence", ({ joined, left }) => told.push([others(joined), others(left)]));
    const joined = await watched.join({ presence: true });
    const isThere = (...users) => JSON.stringify(watched.presence?.users) === JSON.stringify(users.map(own));
    const changes = () => told.filter(([came, gone]) => came.length + gone.length > 0);
    return { ...opened, room: watched, joined, isThere, changes };
  }

  const come = (user) => [[own(user)], []];
  const gone = (user) => [[], [own(user)]];

  test("presence follows joins and leaves, also after a cut", async () => {
    const ann = await watcher("ann", "watch");
    assert.deepEqual(ann.joined.presence, { count: 1, users: [own("ann")], paused: false });
    const ben = await member("ben", "watch");
    const again = await member("ben", "watch");
    await until("ben is there", () => ann.isThere("ann", "ben"));
    again.client.close();
    const cat = await member("cat", "watch");
    await until("cat is there", () => ann.isThere("ann", "ben", "cat"));
    ann.sockets.at(-1).terminate();
    await until("the cut is noticed", () => ann.client.status === "offline");
    await cat.room.leave();
    await until("it is live, and cat is gone", () => ann.client.status === "live" && ann.isThere("ann", "ben"));
    ben.client.close();
    await until("ben is gone", () => ann.isThere("ann"));
    assert.deepEqual(ann.changes(), [come("ben"), come("cat"), gone("cat"), gone("ben")], "each once");
    await ann.room.join({ presence: false });
    assert.equal(ann.room.presence, null);
  });

  test("a move keeps presence", async () => {
    const ann = await watcher("ann", "watchmove", { moveAfter: [1_500, 2_000] });
    const ben = await member("ben", "watchmove");
    await until("ben is there", () => ann.isThere("ann", "ben"));
    const sockets = ann.sockets.length;
    await until("it has moved twice", () => ann.sockets.length > sockets + 1 && ann.client.status === "live");
    ben.client.close();
    await until("ben is gone", () => ann.isThere("ann"));
    assert.deepEqual(ann.changes(), [come("ben"), gone("ben")]);
  });

  test("a signal reaches the others and is not in the log", async () => {
    const ann = await member("ann", "signal");
    const ben = await member("ben", "signal");
    const [signals, direct] = [record(ben.room, "signal"), record(ben.client.inbox, "signal")];
    const { delivered } = await ann.room.signal({ typing: true });
    assert.equal(delivered, 1);
    await until("it has come", () => signals.length === 1);
    assert.deepEqual([signals[0].channel, signals[0].from, signals[0].body], [ann.room.name, own("ann"), { typing: true }]);
    await ann.client.signal(own("ben"), "psst");
    await until("it has come", () => direct.length > 0);
    assert.equal(direct[0].body, "psst");
    assert.equal((await ann.client.signal(own("nobody"), 1)).delivered, 0);
    await assert.rejects(ann.room.signal("x".repeat(1_024)), { code: "body_too_large" });
    assert.deepEqual((await ann.room.history()).messages, []);
  });

  test("presence and signals need their grants", async () => {
    const eve = await member("eve", "unseen", { grant: { join: ["*"] } });
    await assert.rejects(eve.room.join({ presence: true }), { code: "not_allowed" });
    await assert.rejects(eve.room.signal(1), { code: "not_allowed" });
    assert.equal(eve.room.presence, null);
    assert.notEqual(eve.room.position, null);
  });

  test("a deleted message's body is gone from the log", async () => {
    const ann = await member("ann", "delete", { grant: ADMIN });
    const ben = await member("ben", "delete");
    const deleted = record(ben.room, "deleted");
    await ann.room.publish("secret");
    await until("it has come", () => ben.messages.length === 1);
    await assert.rejects(ben.room.delete(1), { code: "not_allowed" });
    await ann.room.delete(1);
    await until("it is told", () => deleted.length === 1);
    assert.deepEqual([deleted[0].seq, deleted[0].by], [1, own("ann")]);
    const { messages } = await ben.room.history();
    assert.deepEqual(messages.map(({ seq, body, deleted: isGone }) => [seq, body, isGone]), [[1, undefined, true]]);
  });

  test("a kicked user may come back, a banned user may not", async () => {
    const ann = await member("ann", "kick", { grant: ADMIN });
    const eve = await member("eve", "kick");
    const left = record(eve.room, "left");
    await ann.room.kick(own("eve"));
    await until("it is told", () => left.length === 1);
    assert.equal(left[0].reason, "kicked");
    await assert.rejects(eve.room.publish("still here?"), { code: "kicked" });
    await eve.room.join();
    await eve.room.publish("back");

    await ann.room.ban(own("eve"), Date.now() + 3_600_000);
    await until("it is told", () => left.length === 2);
    assert.equal(left[1].reason, "banned");
    await assert.rejects(eve.room.join(), { code: "banned" });

    await ann.client.ban(own("eve"), Date.now() + 3_600_000);
    await until("the ban has closed the client", () => eve.client.status === "closed");
    await assert.rejects(eve.client.direct(own("ann"), "why?"), { code: "banned" });
  });

  test("a closed room can be joined only after it is opened", async () => {
    const ann = await member("ann", "close", { grant: ADMIN });
    const ben = await member("ben", "close");
    const closed = record(ben.room, "closed");
    await ann.room.publish("last");
    await ann.room.close({ erase: true });
    await until("it is told", () => closed.length === 1);
    assert.equal(closed[0].isErased, true);
    await assert.rejects(ben.room.join(), { code: "room_closed" });
    await ann.room.open();
    await joinOnceOpen(ben.room);
    assert.deepEqual((await ben.room.history()).messages.map(({ body }) => body), [undefined]);
  });
});
