/**
 * The machine at work. Every number here was measured: by the functions, in their logs; by the stack, in its table, queues and executions; or
 * by this page. What nobody has measured yet is a dash.
 */

import { h, icon, setText } from "./dom.js";
import { fetchJson } from "./stack.js";
import { formatDuration, formatNumber, formatTime, plural } from "./text.js";

/** @import { Chat } from "./chat.js" */
/** @import { Stack } from "./stack.js" */

const EVERY = 1_000;
/** Rates are of so many readings together, so that they can be read. */
const SMOOTH = 5;
const HISTORY = 120;
const DASH = "–";

/** In the order in which a message passes them. */
const FUNCTIONS = [
  { name: "authorize", does: "looks at tokens" },
  { name: "connect", does: "knows the socket" },
  { name: "receive", does: "answers frames" },
  { name: "deliver", does: "appends, posts to small rooms" },
  { name: "plan-broadcast", does: "plans rounds for large rooms" },
  { name: "deliver-page", does: "posts to a page of members" },
  { name: "disconnect", does: "forgets the socket" },
];

/**
 * @typedef {object} Reading
 * @property {number} since
 * @property {number} until
 * @property {Record<string, number[]>} invocations milliseconds of each, by function
 * @property {{counts: Record<string, number>, times: Record<string, number[]>} | null} metrics
 * @property {{channel: string, head: number, sent: number, shards: number, members: number, isBroadcast: boolean}[]} channels
 * @property {{waiting: number, dead: number}} queues
 * @property {Broadcast[]} broadcasts
 *
 * @typedef {{channel: string | null, status: string, rounds: number, pages: number, startedAt: number, stoppedAt: number | null}} Broadcast
 */

export class MachineView {
  #chat;
  #stack;
  /** @type {Reading[]} */
  #readings = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isOver = false;
  #trouble = h("p", { class: "error", role: "alert" });
  #tiles = {
    members: tile("Connections", "in the table, now"),
    appended: tile("Messages a second", "appended to logs"),
    delivered: tile("Deliveries a second", "messages × members reached"),
    posts: tile("Posts a second", "frames sent to sockets"),
    age: tile("Time to everyone", "median, from the queue to the last member"),
    round: tile("A broadcast’s round", "median, all pages delivered"),
    trip: tile("Here and back", "median of your own messages, in this window"),
    lost: tile("Gone or failed", "deliveries in the last minute: pruned, or recovered later"),
  };
  #functions = new Map(FUNCTIONS.map(({ name, does }) => [name, station(name, does)]));
  #queue = station("publish queue", "durable before accepted");
  #channels = table(
    "Channels",
    ["Channel", "Members", "Shards", "In the log", "Not yet sent", "Now"],
    "The rooms that you are in, and everyone’s channel.",
  );
  #broadcasts = table("Broadcasts", ["Room", "Begun", "Took", "Rounds", "Pages", "State"], "None yet: rooms above the inline limit start one.");

  /** @param {Chat} chat @param {Stack} stack */
  constructor(chat, stack) {
    this.#chat = chat;
    this.#stack = stack;
    const order = ["authorize", "connect", "receive", "", "deliver", "plan-broadcast", "deliver-page", "disconnect"];
    const stations = order.map((name) => (name === "" ? this.#queue : this.#functions.get(name)));
    this.#title = h("h1", { tabIndex: -1 }, "The machine at work");
    const body = stack.dashboardUrl
      ? [
          h(
            "p",
            { class: "lead" },
            "Measured, never made up: by the functions’ own metrics, the table, the queue and the state machine of this stack, each second.",
          ),
          this.#trouble,
          h("section", { "aria-label": "Numbers" }, h("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element))),
          h(
            "section",
            {},
            h("h2", {}, "The way of a message"),
            h("ol", { class: "stations" }, ...stations.map((it) => /** @type {any} */ (it).element)),
          ),
          h("section", {}, this.#channels.element),
          h("section", {}, this.#broadcasts.element),
        ]
      : [h("p", { class: "lead" }, "This page can’t see the machine: on AWS, it is on the stack’s CloudWatch dashboard.")];
    this.element = h(
      "main",
      { id: "main", class: "machine" },
      h(
        "header",
        { class: "talk-head" },
        h("a", { class: "icon-button back", href: "#/" }, icon("back"), h("span", { class: "unseen" }, "All conversations")),
        h("div", { class: "talk-title" }, this.#title),
      ),
      h("div", { class: "machine-body", tabIndex: 0, role: "region", "aria-label": "The machine at work" }, ...body),
    );
    if (stack.dashboardUrl) this.#read();
  }

  #title;

  focus() {
    this.#title.focus();
  }

  end() {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  async #read() {
    const begun = performance.now();
    try {
      if (!document.hidden) this.#take(await fetchJson(this.#url()));
      setText(this.#trouble, "");
    } catch (error) {
      setText(this.#trouble, `No numbers: ${/** @type {Error} */ (error).message}. It is tried again.`);
    }
    if (!this.#isOver) this.#timer = setTimeout(() => this.#read(), Math.max(0, EVERY - (performance.now() - begun)));
  }

  #url() {
    const query = new URLSearchParams();
    const last = this.#readings.at(-1);
    if (last) query.set("since", String(last.until));
    query.append("channel", "everyone");
    for (const { kind, id } of this.#chat.conversations.values()) if (kind === "room") query.append("channel", `room:${id}`);
    return `${this.#stack.dashboardUrl}?${query}`;
  }

  /** @param {Reading} reading */
  #take(reading) {
    this.#readings = [...this.#readings, reading].slice(-HISTORY);
    this.#showTiles(reading);
    this.#showStations(reading);
    this.#showChannels(reading);
    this.#showBroadcasts(reading);
  }

  /** @param {Reading} reading */
  #showTiles({ channels, metrics }) {
    const rate = (/** @type {string} */ name) => (metrics ? this.#rate((it) => it.metrics?.counts[name] ?? 0) : null);
    const median = (/** @type {string} */ name) => middle(this.#recent(10).flatMap((it) => it.metrics?.times[name] ?? []));
    const everyone = channels.find(({ channel }) => channel === "everyone");
    const lost = (/** @type {Reading} */ it) => ["Gone", "Failed", "Throttled"].reduce((sum, name) => sum + (it.metrics?.counts[name] ?? 0), 0);
    const trips = this.#chat.roundTrips.filter(({ at }) => at > Date.now() - 60_000).map(({ ms }) => ms);
    this.#tiles.members.show(everyone ? everyone.members : null, formatNumber);
    // Heads are in the table whether or not the functions count.
    this.#tiles.appended.show(rate("Appended") ?? this.#headRate(), perSecond);
    this.#tiles.delivered.show(rate("Delivered"), perSecond);
    this.#tiles.posts.show(rate("Posts"), perSecond);
    this.#tiles.age.show(median("Age"), formatDuration);
    this.#tiles.round.show(median("RoundTime"), formatDuration);
    this.#tiles.trip.show(middle(trips), formatDuration);
    this.#tiles.lost.show(metrics ? this.#recent(60).reduce((sum, it) => sum + lost(it), 0) : null, formatNumber);
  }

  /** @param {number} count */
  #recent(count) {
    return this.#readings.slice(-count);
  }

  /** @param {(reading: Reading) => number} count */
  #rate(count) {
    const readings = this.#recent(SMOOTH);
    const seconds = readings.reduce((sum, { since, until }) => sum + (until - since) / 1_000, 0);
    return seconds > 0 ? readings.reduce((sum, it) => sum + count(it), 0) / seconds : null;
  }

  #headRate() {
    const [first, last] = [this.#recent(SMOOTH)[0], this.#readings.at(-1)];
    if (!first || !last || first === last) return null;
    const before = new Map(first.channels.map(({ channel, head }) => [channel, head]));
    const more = last.channels.reduce((sum, { channel, head }) => sum + Math.max(0, head - (before.get(channel) ?? head)), 0);
    return (more * 1_000) / (last.until - first.until);
  }

  /** @param {Reading} reading */
  #showStations({ queues }) {
    for (const [name, { show }] of this.#functions) {
      const of = (/** @type {Reading} */ it) => Object.entries(it.invocations).find(([full]) => full.endsWith(`-${name}`))?.[1] ?? [];
      const rate = this.#rate((it) => of(it).length);
      const time = middle(this.#recent(SMOOTH).flatMap(of));
      show(rate === null ? DASH : `${perSecond(rate)}/s`, time === null ? DASH : `${formatDuration(time)} each`, (rate ?? 0) > 0);
    }
    this.#queue.show(
      `${formatNumber(queues.waiting)} waiting`,
      queues.dead > 0 ? plural(queues.dead, "dead letter") : "no dead letters",
      queues.waiting > 0,
    );
  }

  /** @param {Reading} reading */
  #showChannels({ channels }) {
    this.#channels.show(
      channels.map(({ channel, members, shards, head, sent, isBroadcast }) => [
        channel.replace(/^room:/, "# "),
        formatNumber(members),
        formatNumber(shards),
        formatNumber(head),
        formatNumber(head - sent),
        isBroadcast ? "broadcasting" : head > sent ? "delivering" : "settled",
      ]),
    );
  }

  /** @param {Reading} reading */
  #showBroadcasts({ broadcasts }) {
    this.#broadcasts.show(
      broadcasts.map(({ channel, startedAt, stoppedAt, rounds, pages, status }) => [
        (channel ?? DASH).replace(/^room:/, "# "),
        formatTime(startedAt),
        formatDuration((stoppedAt ?? Date.now()) - startedAt),
        formatNumber(rounds),
        formatNumber(pages),
        status.toLowerCase(),
      ]),
    );
  }
}

/** A number with its last two minutes. @param {string} name @param {string} meaning */
function tile(name, meaning) {
  const value = h("dd", { class: "tile-value" }, DASH);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  line.setAttribute("class", "spark");
  line.setAttribute("viewBox", `0 0 ${HISTORY - 1} 30`);
  line.setAttribute("preserveAspectRatio", "none");
  line.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.append(path);
  /** @type {(number | null)[]} */
  const past = [];
  return {
    element: h(
      "div",
      { class: "tile" },
      h("dt", {}, name),
      value,
      h("dd", { class: "tile-meaning" }, meaning),
      h("dd", { class: "tile-spark" }, line),
    ),
    /** @param {number | null} now @param {(value: number) => string} format */
    show(now, format) {
      setText(value, now === null ? DASH : format(now));
      past.push(now);
      if (past.length > HISTORY) past.shift();
      path.setAttribute("d", spark(past));
    },
  };
}

/** A line through what is known. @param {(number | null)[]} values */
function spark(values) {
  const most = Math.max(1e-9, ...values.map((value) => value ?? 0));
  let path = "";
  let isOn = false;
  values.forEach((value, index) => {
    if (value === null) return void (isOn = false);
    path += `${isOn ? "L" : "M"}${HISTORY - values.length + index} ${(28 - (value / most) * 26).toFixed(1)}`;
    isOn = true;
  });
  return path;
}

/** @param {string} name @param {string} does */
function station(name, does) {
  const first = h("span", { class: "station-value" }, DASH);
  const second = h("span", { class: "station-more" }, DASH);
  const element = h(
    "li",
    { class: "station" },
    h("span", { class: "station-name" }, name),
    h("span", { class: "station-does" }, does),
    first,
    second,
  );
  return {
    element,
    /** @param {string} value @param {string} more @param {boolean} isBusy */
    show(value, more, isBusy) {
      setText(first, value);
      setText(second, more);
      element.classList.toggle("is-busy", isBusy);
    },
  };
}

/** @param {string} caption @param {string[]} columns @param {string} empty */
function table(caption, columns, empty) {
  const body = h("tbody", {});
  const note = h("p", { class: "hint" }, empty);
  const element = h(
    "div",
    {},
    h("h2", {}, caption),
    h(
      "div",
      { class: "table-frame", tabIndex: 0, role: "region", "aria-label": caption },
      h("table", {}, h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { scope: "col" }, name)))), body),
    ),
    note,
  );
  return {
    element,
    /** @param {string[][]} rows */
    show(rows) {
      while (body.rows.length > rows.length) body.deleteRow(-1);
      rows.forEach((cells, index) => {
        const row =
          body.rows[index] ?? body.appendChild(h("tr", {}, ...cells.map((_, column) => (column === 0 ? h("th", { scope: "row" }) : h("td", {})))));
        cells.forEach((text, column) => setText(row.cells[column], text));
      });
      if (caption === "Broadcasts") note.hidden = rows.length > 0;
    },
  };
}

/** @param {number[]} values @returns {number | null} */
function middle(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** @param {number} rate */
const perSecond = (rate) => (rate > 0 && rate < 10 ? rate.toFixed(1) : formatNumber(Math.round(rate)));
