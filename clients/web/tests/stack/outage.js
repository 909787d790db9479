#!/usr/bin/env node
/**
 * Clients of the SDK talk, in a room and to each other, while the stack's gateway is stopped and started again. Then it verifies the delivery
 * of every message. scripts/outage starts the stack for it.
 */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Stack } from "./stack.js";

const HELP = `Usage: outage.js [--clients N] [--seconds S] [--rate R] [--outages K] [--backoff-cap C] [--json]

Clients of the SDK talk on the running local stack that HUBBUB_OUTPUTS names (scripts/outage starts one), while its gateway is
stopped and started again. Then it verifies delivery: every accepted message must be in the log once, and every client must
have all messages of its channels, once each and in order, without a reset.

  --clients N   number of clients (100)
  --seconds S   how long they talk (30)
  --rate R      messages per second; one in five is a direct message (8)
  --outages K   number of outages, spread evenly over the time (2)
  --backoff-cap C
                longest pause between two tries to connect, in seconds (30)
  --json        end with one line of JSON

Exits with 0 if every message was delivered, 1 if not, and 2 after a wrong call.
`;

const SECOND = 1_000;
/** It gives up after this long without progress: the queue's and the lease's timeouts and the longest pauses, on a busy host. */
const PATIENCE = 120 * SECOND;
/** The most messages in a page of a log. */
const PAGE = 200;

/** The time between two pings. Only a ping finds a lost message that no later one follows. */
const PING_EVERY = 10 * SECOND;

/** A client that talks, with the messages that it got. */
class Person {
  sent = 0;
  resets = 0;
  longestOffline = 0;
  #lostAt = 0;

  /** @param {Stack} stack @param {string} user @param {string} room @param {{backoffCap: number}} options */
  constructor(stack, user, room, { backoffCap }) {
    this.user = user;
    const { client, sockets } = stack.connect(user, { everyone: false, pingEvery: PING_EVERY, backoffCap });
    this.client = client;
    this.sockets = sockets;
    this.channels = [client.room(room), client.inbox];
    /** @type {Map<any, any[]>} */
    this.received = new Map(this.channels.map((channel) => [channel, []]));
    for (const [channel, messages] of this.received) channel.on("message", (message) => messages.push(message));
    client.on("reset", () => (this.resets += 1));
    client.on("status", ({ status, previous }) => this.#note(status, previous));
  }

  get room() {
    return this.channels[0];
  }

  /** The number of sockets that have opened. */
  get opened() {
    return this.sockets.filter(({ wasOpen }) => wasOpen).length;
  }

  #note(status, previous) {
    if (status === "offline" && previous !== "offline") this.#lostAt ||= Date.now();
    if (status !== "live" || !this.#lostAt) return;
    this.longestOffline = Math.max(this.longestOffline, Date.now() - this.#lostAt);
    this.#lostAt = 0;
  }
}

/** Shows progress on standard error: in one line on a terminal, otherwise every few seconds. */
class Progress {
  #step = "";
  #toldAt = 0;

  /** @param {string} step @param {number} done @param {number} total */
  tell(step, done, total) {
    const { isTTY } = process.stderr;
    const isNew = step !== this.#step;
    if (!isNew && Date.now() - this.#toldAt < (isTTY ? 0.1 : 3) * SECOND) return;
    if (isNew) this.end();
    process.stderr.write(`${isTTY ? "\r\x1b[K" : ""}${step}: ${done} of ${total}${isTTY ? "" : "\n"}`);
    this.#step = step;
    this.#toldAt = Date.now();
  }

  end() {
    if (process.stderr.isTTY && this.#step) process.stderr.write("\n");
    this.#step = "";
  }
}

const progress = new Progress();

/** Waits until all are done. Returns false if there is no progress. @param {() => number} done @param {number} total @param {string} [step] */
async function reach(done, total, step) {
  let best = -1;
  for (let deadline = 0; ; ) {
    const count = done();
    if (step) progress.tell(step, count, total);
    if (count >= total) return true;
    if (count > best) [best, deadline] = [count, Date.now() + PATIENCE];
    if (Date.now() > deadline) return false;
    await sleep(50);
  }
}

/** Makes the outages. Each is over when all clients are live again. @param {Stack} stack @param {Person[]} people */
async function breakDown(stack, people, { seconds, outages }) {
  const begin = Date.now();
  for (let outage = 1; outage <= outages; outage += 1) {
    await sleep(begin + (seconds * SECOND * outage) / (outages + 1) - Date.now());
    await stack.restartGateway();
    await reach(() => countLive(people), people.length);
  }
}

/** Publishes until the time and the outages are over. Returns the messages. @param {Stack} stack @param {Person[]} people */
async function talk(stack, people, options) {
  const attempts = [];
  const end = Date.now() + options.seconds * SECOND;
  let isBreaking = true;
  const breaking = breakDown(stack, people, options).finally(() => (isBreaking = false));
  // It is awaited below. Until then its error must not count as unhandled.
  breaking.catch(() => {});
  for (let number = 0; Date.now() < end || isBreaking; number += 1) {
    const person = people[number % people.length];
    // Another step size, so that each client hears from several.
    const other = people[(number * 7 + 1) % people.length];
    attempts.push(publish(person, number % 5 === 4 ? other : null, number));
    progress.tell("talk: clients live", countLive(people), people.length);
    await sleep(SECOND / options.rate);
  }
  await breaking;
  return attempts;
}

/** Sends a message to the room or to another client. Returns its outcome, which is filled in later. @param {Person} person @param {Person | null} other */
function publish(person, other, number) {
  const id = `${person.user}-${(person.sent += 1)}`;
  const attempt = { person, id, channel: (other?.client.inbox ?? person.room).name, accepted: false, error: null };
  const sending = other ? person.client.direct(other.user, { number }, { id }) : person.room.publish({ number }, { id });
  sending.then(
    () => (attempt.accepted = true),
    (error) => (attempt.error = error),
  );
  return attempt;
}

/** @param {Person[]} people */
const countLive = (people) => people.filter(({ client }) => client.status === "live").length;

/** Reads a channel's whole log, oldest first. */
async function readLog(channel) {
  let log = [];
  for (let before; before !== null; ) {
    const page = await channel.history({ before: before ?? undefined, limit: PAGE });
    log = [...page.messages, ...log];
    before = page.before;
  }
  return log;
}

/** Verifies delivery. Returns the faults, as sentences. */
function verify(people, attempts, logs, { outages }) {
  const faults = [];
  for (const { user, opened } of people) {
    if (opened <= outages) faults.push(`\`${user}\` had ${opened} sockets: not every outage has cut one`);
  }
  for (const attempt of attempts) {
    const times = logs.get(attempt.channel).filter(({ id, from }) => id === attempt.id && from === attempt.person.user).length;
    if (attempt.error) faults.push(`\`${attempt.id}\` was not accepted: ${attempt.error.code}: ${attempt.error.message}`);
    if (attempt.accepted && times !== 1) faults.push(`\`${attempt.id}\` was accepted, but is ${times} times in the log of \`${attempt.channel}\``);
  }
  for (const [name, log] of logs) {
    const strays = log.length - attempts.filter(({ channel }) => channel === name).length;
    if (strays > 0) faults.push(`the log of \`${name}\` has ${strays} messages too many`);
    const hole = log.findIndex(({ seq }, index) => seq !== index + 1);
    if (hole >= 0) faults.push(`the log of \`${name}\` has a hole before its entry ${hole + 1}`);
    for (const { user } of people) {
      // The outbox keeps the order of the calls in each channel.
      const numbers = log.filter(({ from }) => from === user).map(({ body }) => body.number);
      if (numbers.some((number, index) => index > 0 && number < numbers[index - 1])) {
        faults.push(`the messages of \`${user}\` in \`${name}\` are not in the order in which they were sent`);
      }
    }
  }
  for (const { user, received, resets } of people) {
    if (resets > 0) faults.push(`\`${user}\` had ${resets} resets`);
    for (const [channel, messages] of received) {
      const key = ({ epoch, seq, id, from, body }) => JSON.stringify([epoch, seq, id, from, body]);
      const log = logs.get(channel.name);
      const wrong = log.findIndex((message, index) => !messages[index] || key(messages[index]) !== key(message));
      if (wrong >= 0) faults.push(`\`${user}\` has no or a wrong message ${wrong + 1} of \`${channel.name}\``);
      else if (messages.length > log.length) faults.push(`\`${user}\` has ${messages.length - log.length} messages of \`${channel.name}\` too many`);
    }
  }
  return faults;
}

async function run(stack, options) {
  // Unique names, so that it can run twice on one stack.
  const tag = randomUUID().slice(0, 8);
  const people = Array.from({ length: options.clients }, (_, number) => new Person(stack, `p${number}-${tag}`, `square-${tag}`, options));
  try {
    // From the beginning, so that every client must get the whole log.
    const joining = Promise.all(people.map(({ room }) => room.join({ since: 0 })));
    if (!(await reach(() => countLive(people), people.length, "connect and join: clients live"))) {
      throw new Error("not all clients became live: is the stack up?");
    }
    await joining;
    const attempts = await talk(stack, people, options);
    await reach(() => attempts.filter(({ accepted, error }) => accepted || error).length, attempts.length, "messages accepted");
    const members = (name) => people.filter(({ channels }) => channels.some((channel) => channel.name === name)).length;
    const owed = sum(attempts.filter(({ accepted }) => accepted).map(({ channel }) => members(channel)));
    const received = () => sum(people.flatMap((person) => [...person.received.values()].map(({ length }) => length)));
    await reach(received, owed, "messages received");

    const logs = new Map([[people[0].room.name, await readLog(people[0].room)]]);
    for (const { client } of people) logs.set(client.inbox.name, await readLog(client.inbox));
    return {
      clients: people.length,
      outages: options.outages,
      published: attempts.length,
      accepted: attempts.filter(({ accepted }) => accepted).length,
      received: received(),
      owed,
      sockets: sum(people.map(({ opened }) => opened)),
      longestOfflineMs: Math.max(...people.map(({ longestOffline }) => longestOffline)),
      faults: verify(people, attempts, logs, options),
    };
  } finally {
    progress.end();
    for (const { client } of people) client.close();
  }
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Reads a whole number within bounds. */
function number(name, text, least, most) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new TypeError(`--${name} takes a whole number from ${least} to ${most}, not \`${text}\``);
}

function readArguments() {
  const text = (value) => ({ type: /** @type {const} */ ("string"), default: value });
  const { values } = parseArgs({
    options: {
      clients: text("100"),
      seconds: text("30"),
      rate: text("8"),
      outages: text("2"),
      "backoff-cap": text("30"),
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    help: values.help,
    json: values.json,
    clients: number("clients", values.clients, 2, 1_000),
    seconds: number("seconds", values.seconds, 1, 3_600),
    rate: number("rate", values.rate, 1, 100),
    outages: number("outages", values.outages, 0, 20),
    backoffCap: number("backoff-cap", values["backoff-cap"], 1, 3_600) * SECOND,
  };
}

async function main() {
  let options;
  try {
    options = readArguments();
  } catch (error) {
    process.stderr.write(`error: ${error.message}\n\n${HELP}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const report = await run(await Stack.fromEnvironment(), options);
  const { clients, outages, published, received, owed, sockets, longestOfflineMs, faults } = report;
  console.log(`${clients} clients, ${outages} outages, ${published} messages published, ${received} of ${owed} deliveries`);
  console.log(`${sockets} sockets opened; longest time offline: ${(longestOfflineMs / SECOND).toFixed(1)} s`);
  for (const fault of faults.slice(0, 20)) console.log(`- ${fault}`);
  if (faults.length > 20) console.log(`- and ${faults.length - 20} more`);
  console.log(faults.length === 0 ? "every client has every message, in order" : "not every message was delivered as it should be");
  if (options.json) console.log(JSON.stringify(report));
  return faults.length === 0 ? 0 : 1;
}

main().then(
  (code) => (process.exitCode = code),
  (error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  },
);
