/**
 * The dashboard: what the stack does at the moment. Every number is measured by the functions (in their logs), read from the stack's table,
 * queues and executions, or measured by this page. A number that is not known yet is a dash.
 */

import { h, icon, setText } from "./dom.js";
import { describeFunctions } from "./functions.js";
import { fetchJson } from "./stack.js";
import { formatDuration, formatNumber, formatTime, plural } from "./text.js";
import { DASH, HISTORY, station, table, tile } from "./widgets.js";

/** @import { Chat } from "./chat.js" */
/** @import { Stack } from "./stack.js" */

/** The time between two readings, in milliseconds. */
const READ_EVERY = 1_000;
/** A rate is taken over this many readings: over one, it would jump too much to be read. */
const RATE_OVER = 5;

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

export class Dashboard {
  #chat;
  #stack;
  /** @type {Reading[]} */
  #readings = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isOver = false;
  #trouble = h("p", { class: "error", role: "alert" });
  #tiles = {
    members: tile("Connections", "in the table now"),
    appended: tile("Messages a second", "appended to logs"),
    delivered: tile("Deliveries a second", "messages × members reached"),
    posts: tile("Posts a second", "frames sent to sockets"),
    age: tile("Time to everyone", "median, from the queue to the last member"),
    round: tile("Broadcast round", "median, until all pages are delivered"),
    trip: tile("Round trip", "median of your own messages in this window"),
    lost: tile("Gone or failed", "deliveries in the last minute: the socket was gone, or the client recovers it"),
  };
  /** The station of each function. */
  #functions;
  #queue = station("publish queue", "durable before accepted");
  #channels = table(
    "Channels",
    ["Channel", "Members", "Shards", "In the log", "Not yet sent", "Now"],
    "Your rooms and everyone’s channel.",
  );
  #broadcasts = table("Broadcasts", ["Room", "Started", "Time", "Rounds", "Pages", "State"], "None yet. A message to a room above the inline limit starts one.", {
    isOnlyForEmpty: true,
  });

  /** @param {Chat} chat @param {Stack} stack */
  constructor(chat, stack) {
    this.#chat = chat;
    this.#stack = stack;
    this.#functions = new Map(describeFunctions(stack.functions).map(({ name, does }) => [name, station(name, does)]));
    const stations = [...this.#functions.values()];
    // A message goes by the queue from `receive` to `deliver`.
    stations.splice([...this.#functions.keys()].indexOf("deliver"), 0, this.#queue);
    this.#title = h("h1", { tabIndex: -1 }, "Dashboard");
    const body = stack.dashboardUrl
      ? [
          h(
            "p",
            { class: "lead" },
            "Measured each second: the functions’ own metrics, and this stack’s table, queue and state machine.",
          ),
          this.#trouble,
          h("section", { "aria-label": "Numbers" }, h("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element))),
          h(
            "section",
            {},
            h("h2", {}, "A message’s path"),
            h("ol", { class: "stations" }, ...stations.map(({ element }) => element)),
          ),
          h("section", {}, this.#channels.element),
          h("section", {}, this.#broadcasts.element),
        ]
      : [h("p", { class: "lead" }, "This page can’t read the numbers here. On AWS, the stack’s CloudWatch dashboard has them.")];
    this.element = h(
      "main",
      { id: "main", class: "dashboard" },
      h(
        "header",
        { class: "talk-head" },
        h("a", { class: "icon-button back", href: "#/" }, icon("back"), h("span", { class: "unseen" }, "All conversations")),
        h("div", { class: "talk-title" }, this.#title),
      ),
      h("div", { class: "dashboard-body", tabIndex: 0, role: "region", "aria-label": "Dashboard" }, ...body),
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
      setText(this.#trouble, `No numbers: ${/** @type {Error} */ (error).message}. The page tries again.`);
    }
    if (!this.#isOver) this.#timer = setTimeout(() => this.#read(), Math.max(0, READ_EVERY - (performance.now() - begun)));
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
    // The heads in the table give the rate even without metrics.
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
    const readings = this.#recent(RATE_OVER);
    const seconds = readings.reduce((sum, { since, until }) => sum + (until - since) / 1_000, 0);
    return seconds > 0 ? readings.reduce((sum, it) => sum + count(it), 0) / seconds : null;
  }

  #headRate() {
    const [first, last] = [this.#recent(RATE_OVER)[0], this.#readings.at(-1)];
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
      const time = middle(this.#recent(RATE_OVER).flatMap(of));
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

/** @param {number[]} values @returns {number | null} */
function middle(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** @param {number} rate */
const perSecond = (rate) => (rate > 0 && rate < 10 ? rate.toFixed(1) : formatNumber(Math.round(rate)));
