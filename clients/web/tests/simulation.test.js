/**
 * A bad network by a seed, for thousands of steps: sockets break, handshakes fail, frames (answers too) are lost, doubled and reordered. At
 * the end every client must have every message once and in order, and the log every accepted message once.
 *
 * Sockets and time are simulated, so a seed gives the same run each time: `SEED=7 node --test tests/simulation.test.js`.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "hubbub-client";
import { FakeServer } from "./fake-server.js";
import { memorySockets } from "./network.js";
import { FakeClock, randomness, token, turn } from "./support.js";

const SEEDS = process.env.SEED ? [Number(process.env.SEED)] : [1, 2, 3, 4, 5, 6, 7, 8];
const STEPS = 2_000;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A network that loses, doubles and reorders the server's frames, and sometimes cuts a socket. */
function network(server, clock, random) {
  const weather = { isCalm: false, lost: 0, doubled: 0, cuts: 0 };
  const soon = () => 1 + Math.floor(random() * (weather.isCalm ? 5 : 400));
  const chance = (probability) => !weather.isCalm && random() < probability;
  // Fewer answers are lost: each costs its client half a minute.
  server.onPost = (_, frame) => {
    if (chance(frame.ref === undefined ? 0.1 : 0.02)) {
      weather.lost += 1;
      return [];
    }
    if (chance(0.1)) {
      weather.doubled += 1;
      return [frame, frame];
    }
    return [frame];
  };
  server.onFrame = () => chance(0.01); // A frame is lost on its way to the server.

  // The server's frames overtake each other. A client's keep their order.
  const toClient = () => (run) => clock.setTimeout(run, soon());
  const toServer = () => {
    let arrivesAt = 0;
    return (run) => {
      arrivesAt = Math.max(arrivesAt + 1, clock.now() + soon());
      clock.setTimeout(run, arrivesAt - clock.now());
    };
  };
  const Socket = memorySockets(server, { toServer, toClient, isRefused: () => chance(0.2) });

  const cutSomebody = () => {
    const { connections } = server;
    if (connections.length === 0) return;
    weather.cuts += 1;
    connections[Math.floor(random() * connections.length)].cut();
  };
  return { Socket, weather, cutSomebody };
}

for (const seed of SEEDS) {
  test(`every message comes once and in order (seed ${seed})`, async (t) => {
    const random = randomness(seed);
    const clock = new FakeClock();
    const server = new FakeServer(clock.now);
    server.pageSize = 7;
    const { Socket, weather, cutSomebody } = network(server, clock, random);
    const rooms = ["room:a", "room:b"];
    const users = ["alice", "bob"];
    /** By client and channel, what came. @type {Map<string, {seq: number, body: any}[]>} */
    const came = new Map();
    const accepted = [];
    const failed = [];
    let published = 0;

    const options = { url: "ws://x", WebSocket: Socket, clock, random, moveAfter: [5 * MINUTE, 10 * MINUTE], pingEvery: MINUTE, maxHeld: 20 };
    const clients = users.map((user) => {
      const client = connect({ ...options, getToken: () => token(user) });
      client.on("message", ({ channel, seq, body }) => {
        const name = `${user} ${channel}`;
        came.set(name, [...(came.get(name) ?? []), { seq, body }]);
      });
      client.on("reset", (reset) => failed.push({ user, reset }));
      client.on("left", (left) => failed.push({ user, left }));
      for (const channel of [client.inbox, client.everyone, ...rooms.map((name) => client.room(name.slice(5)))]) {
        channel.join({ since: 0 }).catch((error) => failed.push({ user, error }));
      }
      return client;
    });
    t.after(() => clients.forEach((client) => client.close()));

    const publish = () => {
      const user = Math.floor(random() * users.length);
      const [client, body] = [clients[user], { user: users[user], n: (published += 1) }];
      const lane = random() < 0.3 ? `user:${users[1 - user]}` : rooms[Math.floor(random() * rooms.length)];
      const sent = lane.startsWith("room:") ? client.room(lane.slice(5)).publish(body) : client.direct(lane.slice(5), body);
      sent.then(({ id }) => accepted.push({ lane, id, body }), (error) => failed.push({ user, error }));
    };

    for (let step = 0; step < STEPS; step += 1) {
      const dice = random();
      if (dice < 0.3) publish();
      else if (dice < 0.4) server.append("everyone", { body: { step } });
      else if (dice < 0.41) cutSomebody();
      await clock.advance(Math.floor(random() * 2 * SECOND));
    }
    weather.isCalm = true;
    for (let minutes = 0; minutes < 30 && accepted.length + failed.length < published; minutes += 1) await clock.advance(MINUTE);
    await clock.advance(3 * MINUTE); // Pings find lost messages that left no gap.
    await turn();

    assert.deepEqual(failed, []);
    assert.equal(accepted.length, published);
    for (const [n, user] of users.entries()) {
      assert.equal(clients[n].status, "live");
      for (const channel of [...rooms, "everyone", `user:${user}`]) {
        const log = server.channel(channel).entries.map(({ seq, body }) => ({ seq, body }));
        assert.ok(log.length > 50, `${channel} has seen some traffic`);
        assert.deepEqual(came.get(`${user} ${channel}`), log, `${user} has all of ${channel}`);
      }
    }
    for (const channel of [...rooms, ...users.map((user) => `user:${user}`)]) {
      const log = server.channel(channel).entries;
      const ids = accepted.filter(({ lane }) => lane === channel).map(({ id }) => id);
      assert.deepEqual(log.map(({ id }) => id).sort(), ids.sort(), `what was accepted is in ${channel} once`);
      for (const user of users) {
        const own = log.filter(({ from }) => from === user).map(({ body }) => body.n);
        assert.deepEqual(own, own.toSorted((a, b) => a - b), `${user}'s messages keep their order in ${channel}`);
      }
    }
    // The weather was bad enough to prove something.
    assert.ok(weather.lost > 100 && weather.doubled > 100 && weather.cuts > 5 && server.connected > 10, JSON.stringify(weather));
    t.diagnostic(`${published} published, ${server.connected} sockets, ${JSON.stringify(weather)}`);
  });
}
