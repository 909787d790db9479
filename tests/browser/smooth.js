/**
 * Measures how smooth the page is in a busy room: `npm run smooth -- [--members 2000] [--rate 100] [--seconds 30] [--json]`.
 *
 * The messages come from a source that speaks the protocol over a real socket: the emulator can't post to thousands of sockets and leave the
 * processors to the browser. It measures frames, long tasks and the load of the main thread in Chromium on this host.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
import { launch, Person } from "./browser.js";

const { values } = parseArgs({
  options: {
    members: { type: "string", default: "2000" },
    rate: { type: "string", default: "100" },
    seconds: { type: "string", default: "30" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log("Usage: npm run smooth -- [--members N] [--rate MESSAGES-A-SECOND] [--seconds S] [--json]");
  process.exit(0);
}
const [members, rate, seconds] = ["members", "rate", "seconds"].map((name) => {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`error: --${name} takes a whole number above 0, not \`${values[name]}\``);
  process.exit(2);
});

const EPOCH = "source";
const WORDS = "a message that people write has some words and now and then a longer thought which goes on for two lines or three".split(" ");

/** A server with one busy room. */
class Source {
  #log = [];
  #sockets = new Set();
  sent = 0;

  async open() {
    this.server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    this.server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("message", (data) => this.#answer(socket, JSON.parse(data)));
    });
    await once(this.server, "listening");
    for (let index = 0; index < 500; index++) this.#append();
    return `ws://127.0.0.1:${this.server.address().port}/`;
  }

  #append() {
    const seq = this.#log.length + 1;
    const words = Array.from({ length: 3 + ((seq * 7) % 40) }, (_, index) => WORDS[(seq * 13 + index * 5) % WORDS.length]);
    const entry = { seq, id: `m-${seq}`, from: `member-${(seq * 31) % members}`, at: Date.now(), body: { text: words.join(" ") } };
    this.#log.push(entry);
    return entry;
  }

  /** Sends one frame for each message, as in a small room. This is the hardest case: a broadcast brings many messages in one frame. */
  send() {
    const frame = JSON.stringify({ type: "message", channel: "room:busy", epoch: EPOCH, ...this.#append() });
    for (const socket of this.#sockets) socket.send(frame);
    this.sent += 1;
  }

  #answer(socket, { action, ref, room, channel = `room:${room}`, before, limit = 50, presence }) {
    const isBusy = channel === "room:busy";
    const log = isBusy ? this.#log : [];
    const page = log.slice(0, before ? before - 1 : undefined).slice(-limit);
    const users = Array.from({ length: Math.min(100, members) }, (_, index) => `member-${index}`);
    const present = { count: members, ...(members > 100 ? { paused: true } : { users }) };
    const answers = {
      join: { type: "joined", channel, epoch: EPOCH, head: log.length, ...(presence && { presence: present }) },
      history: { type: "history", channel, epoch: EPOCH, messages: page, more: page.length > 0 && page[0].seq > 1 },
      who: { type: "members", channel, count: members, users },
      ping: { type: "pong", at: Date.now() },
      leave: { type: "left", channel },
    };
    socket.send(JSON.stringify({ ...answers[action], ref }));
  }
}

/** Records frames and long tasks in the page. */
function watch() {
  const seen = { frames: [], longTasks: [] };
  new PerformanceObserver((list) => seen.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  let last = performance.now();
  const frame = (now) => {
    seen.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  globalThis.seen = seen;
}

async function measure(person, source, devtools, act) {
  await person.page.evaluate(watch);
  const busyTime = async () => (await devtools.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value;
  const [begun, before, sent] = [performance.now(), await busyTime(), source.sent];
  const timer = setInterval(() => {
    // A late timer doesn't lower the rate.
    for (let due = ((performance.now() - begun) / 1_000) * rate; source.sent - sent < due;) source.send();
  }, 5);
  const acting = setInterval(() => act().catch(() => {}), 500);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  clearInterval(timer);
  clearInterval(acting);
  const took = (performance.now() - begun) / 1_000;
  const busy = (await busyTime()) - before;
  const { frames, longTasks } = await person.page.evaluate(() => globalThis.seen);
  const sorted = frames.slice(1).sort((one, other) => one - other);
  const share = (part) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(1));
  return {
    messages: source.sent - sent,
    messagesPerSecond: Math.round((source.sent - sent) / took),
    framesPerSecond: Number((sorted.length / took).toFixed(1)),
    frameMs: { median: share(0.5), p99: share(0.99), most: share(1) },
    longTasks: longTasks.length,
    longestTaskMs: Math.round(Math.max(0, ...longTasks)),
    mainThreadBusyPercent: Math.round((busy / took) * 100),
    isAtEnd: await person.page.locator(".latest").isHidden(),
    rowsInDocument: await person.page.locator(".row").count(),
  };
}

const source = new Source();
const url = await source.open();
const server = spawn(
  "python3",
  ["-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", new URL("../../clients/web", import.meta.url).pathname],
  {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, PYTHONUNBUFFERED: "1" },
  },
);
const [line] = await once(server.stdout, "data");
const address = /http:\/\/[^/ )]+\//.exec(String(line))[0];
const browser = await launch();
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const claims = Buffer.from(JSON.stringify({ sub: "reader", exp: 4_000_000_000 })).toString("base64url");
  await page.route("**/stack.json", (route) => route.fulfill({ json: { url, auth: "query", tokenUrl: "token" } }));
  await page.route("**/token", (route) => route.fulfill({ json: { token: `${claims}.${claims}.source` } }));
  await page.goto(`${address}page/#/room/busy`);
  const reader = new Person("reader", page);
  await reader.signIn();
  await reader.sees("live");
  await page.locator(".row").first().waitFor();
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable");
  await page.mouse.move(640, 400);
  const result = {
    members,
    rate,
    atTheEnd: await measure(reader, source, devtools, async () => {}),
    scrolling: await measure(reader, source, devtools, () => page.mouse.wheel(0, -700)),
  };
  if (!result.atTheEnd.isAtEnd || result.scrolling.isAtEnd) throw new Error("the reader was not at the expected place in the room");
  if (reader.errors.length > 0) throw new Error(reader.errors.join("\n"));
  console.log(values.json ? JSON.stringify(result) : report(result));
} finally {
  await browser.close();
  server.kill();
  source.server.close();
  for (const socket of source.server.clients) socket.terminate();
}

function report({ atTheEnd, scrolling }) {
  const rows = Object.entries({ "at the end": atTheEnd, "scrolling up": scrolling }).map(([what, it]) => [
    what,
    `${it.messagesPerSecond}/s`,
    `${it.framesPerSecond}/s`,
    `${it.frameMs.median} ms`,
    `${it.frameMs.p99} ms`,
    `${it.frameMs.most} ms`,
    `${it.longTasks} (${it.longestTaskMs} ms)`,
    `${it.mainThreadBusyPercent} %`,
    it.rowsInDocument,
  ]);
  const head = ["reader", "messages", "frames", "median", "p99", "longest frame", "long tasks (longest)", "main thread", "rows"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
