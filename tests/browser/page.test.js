/** The page in Chromium, on a local stack of its own. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DESKTOP, launch, PATIENCE, Person, PHONE, until } from "./browser.js";
import { Proxy } from "./proxy.js";
import { Stack } from "./stack.js";

/** Pictures of the pages when a test failed. */
const FAILURES = fileURLToPath(new URL("../../target/browser", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let begun = 0;
let browser;
let stack;

before(async () => {
  begun = Date.now();
  [stack, browser] = await Promise.all([Stack.start({ inlineLimit: 3 }), launch()]);
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

/** A test with people, who leave at its end. It fails if a page had an error. */
function scene(name, act) {
  return test(name, { timeout: 4 * PATIENCE }, async (context) => {
    const people = [];
    const come = async (who, options) => {
      const person = await Person.come(browser, stack, who, options);
      people.push(person);
      await person.sees("live");
      return person;
    };
    try {
      await act(come, context);
      for (const { name: who, errors } of people) assert.deepEqual(errors, [], `in ${who}'s page`);
    } catch (error) {
      mkdirSync(FAILURES, { recursive: true });
      for (const person of people) {
        const path = `${FAILURES}/${person.name}.png`;
        await person.page.screenshot({ path, timeout: 5_000 }).then(
          () => context.diagnostic(`see ${path}`),
          () => {},
        );
      }
      throw error;
    } finally {
      await Promise.all(people.map((person) => person.leave()));
    }
  });
}

const numbered = (count, from = 1) => Array.from({ length: count }, (_, index) => `message ${from + index}`);
const asBodies = (texts) => texts.map((text) => ({ text }));

scene("two windows at the printed address can talk", async (come, context) => {
  const alice = await come("alice");
  const bob = await come("bob", PHONE);
  await alice.say("hello bob");
  await bob.reads("hello bob");
  await bob.say("hello alice");
  await alice.reads("hello alice");
  context.diagnostic(`talked ${((Date.now() - begun) / 1_000).toFixed(1)} s after scripts/up`);
  await alice.page.getByText("Delivered to 2 of 2", { exact: false }).first().waitFor({ state: "attached" });
  await until(
    "who is here",
    () => alice.page.locator(".people li").allTextContents(),
    (seen) => seen.length === 2,
  );
});

// In parallel: most of the time is waiting.
describe("the page", { concurrency: 3 }, () => {
  scene("a direct message waits in the inbox and is marked unread", async (come) => {
    const alice = await come("dora", { hash: "#/direct/emil" });
    await alice.say("are you there?");
    await alice.page.getByText("In the inbox: emil is away").waitFor({ state: "attached" });
    const emil = await come("emil", { hash: "#/room/lobby" });
    const entry = emil.page.getByRole("navigation").getByRole("link", { name: /^dora/ });
    await entry.waitFor();
    await alice.say("now you are");
    await emil.page.getByRole("link", { name: "dora , 1 unread" }).waitFor();
    await until(
      "the title",
      () => emil.page.title(),
      (title) => title.startsWith("(1)"),
    );
    await entry.click();
    await emil.reads("are you there?");
    await emil.reads("now you are");
    await until(
      "the mark",
      () => emil.page.locator(".badge").allTextContents(),
      (texts) => texts.every((text) => text === ""),
    );
    assert.deepEqual(await emil.texts(), ["are you there?", "now you are"]);
  });

  scene("each room has its own unread mark", async (come) => {
    const fay = await come("fay");
    await fay.page.getByRole("textbox", { name: "Join a room" }).fill("garden");
    await fay.page.keyboard.press("Enter");
    await fay.page.getByRole("heading", { name: "# garden" }).waitFor();
    await until(
      "the log",
      () => fay.page.locator(".beginning, .top").allTextContents(),
      (texts) => texts.some((text) => text.includes("Nobody has said")),
    );
    await fay.open("#/room/lobby");
    await stack.publish("room:garden", asBodies(numbered(3)));
    await fay.page.getByRole("link", { name: "garden , 3 unread" }).click();
    await fay.reads("message 3");
    await fay.page.locator(".new").waitFor();
    await fay.page.getByRole("button", { name: "Leave" }).click();
    await until(
      "the rooms",
      () => fay.page.locator(".conversations").first().textContent(),
      (text) => !text.includes("garden"),
    );
  });

  scene("presence and typing are shown without asking", async (come) => {
    const asked = [];
    const noah = await come("noah", { hash: "#/room/small" });
    noah.page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => asked.push(JSON.parse(payload).action)));
    await noah.page.reload();
    await noah.sees("live");
    const people = () => noah.page.locator(".people li").allTextContents();
    const isThere = (...names) => (texts) => texts.length === names.length && names.every((name) => texts.some((text) => text.includes(name)));
    await until(
      "noah alone",
      people,
      isThere("noah"),
    );
    const otto = await come("otto", { hash: "#/room/small" });
    await until(
      "otto has come",
      people,
      isThere("noah", "otto"),
    );

    const typing = (person) => person.page.locator(".typing");
    const box = otto.page.getByLabel("Message", { exact: true });
    await until(
      "otto knows noah",
      () => otto.page.locator(".people li").count(),
      (count) => count === 2,
    );
    // The line is shown for some seconds only, so the wait starts first.
    const isTold = (person, text) => typing(person).getByText(text).waitFor();
    await Promise.all([isTold(noah, "otto is typing …"), box.pressSequentially("hello")]);
    await otto.page.keyboard.press("Enter");
    await noah.reads("hello");
    assert.equal(await typing(noah).textContent(), "");
    await Promise.all([isTold(noah, "otto is typing …"), box.fill("on second thoughts")]);
    await box.fill("");
    await until(
      "nobody is typing",
      () => typing(noah).textContent(),
      (text) => text === "",
    );
    assert.equal(await typing(otto).textContent(), "", "the user's own typing is not shown");

    const paul = await come("paul", { hash: "#/direct/otto" });
    await otto.open("#/direct/paul");
    await Promise.all([isTold(otto, "paul is typing …"), paul.page.getByLabel("Message", { exact: true }).fill("psst")]);

    await otto.open("#/room/small");
    await otto.page.getByRole("button", { name: "Leave" }).click();
    await until(
      "otto has gone",
      people,
      isThere("noah"),
    );
    assert.ok(asked.includes("join"), "the frames were seen");
    assert.equal(asked.includes("who"), false, "nothing was asked");
  });

  scene("in a large room the page asks who is here", async (come, context) => {
    const rosa = await come("rosa", { hash: "#/room/hundred" });
    const subtitle = (text) =>
      until(
        "the subtitle",
        () => rosa.page.locator(".subtitle").textContent(),
        (seen) => seen === text,
      );
    await subtitle("1 person");
    const disperse = await stack.crowd("hundred", 101);
    context.after(disperse);
    await subtitle("102 connections · a hundred people or more");
    disperse();
    await subtitle("1 person");
    await until(
      "the people",
      () => rosa.page.locator(".people li").allTextContents(),
      (texts) => texts.length === 1 && texts[0].includes("rosa"),
    );
  });

  scene("after a cut the missed messages appear in order", async (come, context) => {
    const proxy = await Proxy.before(stack.port);
    context.after(() => proxy.close());
    const gil = await come("gil", { ...PHONE, through: proxy, hash: "#/room/cut" });
    await stack.publish("room:cut", asBodies(numbered(30)));
    await gil.reads("message 30");
    await proxy.close();
    await gil.sees("offline");
    await gil.page.locator(".banner").getByText("Offline.").waitFor();
    await gil.say("written while offline");
    await stack.publish("room:cut", asBodies(numbered(12, 31)));
    await until(
      "the log's head",
      () => headOf("room:cut"),
      (head) => head === 42,
    );
    await proxy.open();
    // The banner is shown for some seconds only, so the wait starts first.
    const banner = gil.page.locator(".banner").getByText("12 messages recovered, nothing lost").waitFor();
    await Promise.all([banner, gil.tryNow()]);
    await gil.sees("live");
    await gil.reads("written while offline");
    await gil.page.getByText("You were away. 12 messages recovered, in order").waitFor({ state: "attached" });
    assert.ok(await gil.page.locator(".latest").isHidden(), "the view stays at the end");
    assert.deepEqual(await readThrough(gil), [...numbered(42), "written while offline"]);
  });

  scene("a tab that slept has what came in the meantime", async (come, context) => {
    const proxy = await Proxy.before(stack.port);
    context.after(() => proxy.close());
    const hana = await come("hana", { through: proxy, hash: "#/room/sleep" });
    await stack.publish("room:sleep", asBodies(numbered(2)));
    await hana.reads("message 2");
    const devtools = await hana.page.context().newCDPSession(hana.page);
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    // A tab that sleeps for long is cut, and doesn't notice.
    proxy.cut();
    await stack.publish("room:sleep", asBodies(numbered(5, 3)));
    await until(
      "the log's head",
      () => headOf("room:sleep"),
      (head) => head === 7,
    );
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await hana.reads("message 7");
    assert.deepEqual(await readThrough(hana), numbered(7));
  });

  scene("a refused token is explained, and a good one is used", async (come) => {
    const ines = await come("ines", { hash: "#/room/lobby" });
    let isForged = true;
    const forge = async (route) => {
      if (!isForged) return await route.continue();
      const answer = await route.fetch();
      const { token } = await answer.json();
      await route.fulfill({ response: answer, json: { token: `${token.slice(0, token.lastIndexOf("."))}.${"A".repeat(43)}` } });
    };
    await ines.page.route("**/token", forge);
    await ines.page.reload();
    const banner = ines.page.locator(".banner");
    await banner.getByText("The stack refused your token.").waitFor();
    // The reason is in a function's log, and may come later than the refusal.
    await banner.getByText(/It says: .*token is not valid/).waitFor();
    isForged = false;
    await ines.tryNow();
    await ines.sees("live");
  });

  scene("a deleted message is gone for everyone", async (come) => {
    const [jo, kim] = await Promise.all([come("jo", { isModerator: true, hash: "#/room/slips" }), come("kim", { hash: "#/room/slips" })]);
    await kim.say("my password is swordfish");
    await jo.reads("my password is swordfish");
    await jo.message("my password is swordfish").hover();
    await jo.page.getByRole("button", { name: "Delete the message of kim" }).click();
    await kim.page.getByText("Deleted by jo").waitFor();
    await jo.page.getByText("Deleted by jo").waitFor();
    const late = await come("lea", { hash: "#/room/slips" });
    await late.page.getByText("This message was deleted").waitFor();
    for (const person of [jo, kim, late]) assert.doesNotMatch(await person.page.content(), /swordfish/);
  });

  scene("a reader further up keeps their place", async (come) => {
    const mia = await come("mia", { hash: "#/room/busy" });
    await stack.publish("room:busy", asBodies(numbered(150)));
    await mia.reads("message 150");
    const feed = mia.page.getByRole("feed");
    await feed.evaluate((element) => (element.scrollTop = element.scrollHeight / 2));
    await mia.page.getByRole("button", { name: "To the latest" }).waitFor();
    await settle(mia);
    const place = () =>
      feed.evaluate((element) => {
        const edge = element.getBoundingClientRect().top;
        const row = [...element.querySelectorAll(".row")].find((it) => it.getBoundingClientRect().top >= edge);
        return { text: row?.querySelector(".text")?.textContent, top: Math.round(row.getBoundingClientRect().top - edge) };
      });
    const before = await place();
    await stack.publish("room:busy", asBodies(numbered(500, 151)));
    await mia.page.getByRole("button", { name: "500 new messages" }).waitFor();
    assert.deepEqual(await place(), before);
    const drawn = await mia.page.locator(".row").count();
    assert.ok(drawn < 120, `of 650 messages, ${drawn} are in the document`);
    await mia.page.getByRole("button", { name: "500 new messages" }).click();
    await mia.reads("message 650");
    assert.deepEqual(await readThrough(mia), numbered(650));
  });

  scene("scrolling up loads the room's history to its beginning", async (come) => {
    await stack.publish("room:old", asBodies(numbered(180)));
    await until(
      "the log's head",
      () => headOf("room:old"),
      (head) => head === 180,
    );
    const nils = await come("nils", { hash: "#/room/old" });
    await nils.reads("message 180");
    assert.deepEqual(await readThrough(nils), numbered(180));
  });

  scene("the dashboard shows the broadcast of a large room", async (come) => {
    const crowd = await Promise.all(Array.from({ length: 4 }, (_, index) => come(`crowd-${index}`, { hash: "#/room/large" })));
    await crowd[0].open("#/dashboard");
    await crowd[1].say("to all of you");
    await Promise.all(crowd.slice(1).map((person) => person.reads("to all of you")));
    const dashboard = crowd[0].page;
    const row = dashboard.getByRole("region", { name: "Channels" }).getByRole("row").filter({ hasText: "# large" });
    await until(
      "the room",
      () => row.getByRole("cell").allTextContents(),
      (cells) => cells.join() === "4,2,1,0,settled",
    );
    const broadcast = dashboard.getByRole("region", { name: "Broadcasts" }).getByRole("row").filter({ hasText: "# large" });
    await until(
      "the broadcast",
      () => broadcast.getByRole("cell").allTextContents(),
      (cells) => cells.slice(2).join() === "1,2,succeeded",
    );
    const connections = dashboard.locator(".tile", { hasText: "Connections" }).locator(".tile-value");
    await until(
      "the connections",
      () => connections.textContent(),
      (text) => Number(text) >= 4,
    );
  });

  scene("everything works by keyboard", async (come) => {
    const olga = await come("olga", { hash: "#/room/keys" });
    await stack.publish("room:keys", asBodies(numbered(30)));
    await olga.reads("message 30");
    const { keyboard } = olga.page;
    const focused = () => olga.page.evaluate(() => document.activeElement?.querySelector?.(".text")?.textContent ?? document.activeElement?.id ?? "");
    await olga.page.getByRole("feed").focus();
    await keyboard.press("ArrowUp");
    assert.equal(await focused(), "message 30");
    await keyboard.press("PageUp");
    assert.equal(await focused(), "message 20");
    await keyboard.press("Home");
    assert.equal(await focused(), "message 1");
    await keyboard.press("End");
    assert.equal(await focused(), "message 30");
    await olga.page.getByRole("link", { name: "Skip to the open conversation" }).focus();
    await keyboard.press("Enter");
    assert.equal(await focused(), "composer");
    await keyboard.type("by keyboard");
    await keyboard.press("Enter");
    await olga.reads("by keyboard");
  });

  scene("axe finds no problem on desktop and phone, light and dark", async (come) => {
    await stack.publish("room:axe", [...asBodies(numbered(5)), { order: 17, lines: [1, 2] }]);
    const looks = [
      { ...DESKTOP, colorScheme: "light" },
      { ...PHONE, colorScheme: "dark" },
    ];
    for (const [index, look] of looks.entries()) {
      const pia = await come(`pia-${index}`, { ...look, isModerator: true, bypassCSP: true });
      await pia.open("#/room/axe");
      await pia.say("a word");
      await pia.reads("a word");
      await until(
        "the people",
        () => pia.page.locator(".people li").count(),
        (count) => count > 0,
      );
      await check(pia, "a room");
      if (look.isMobile) {
        await pia.page.getByRole("button", { name: "Who is here" }).click();
        await check(pia, "the people");
      }
      await pia.open("#/dashboard");
      await until(
        "the channels",
        () => pia.page.locator("tbody tr").count(),
        (count) => count > 0,
      );
      await check(pia, "the dashboard");
      await pia.page.evaluate(() => (location.hash = "#/"));
      await pia.page.locator(".sidebar").waitFor();
      await check(pia, "the list");
      await pia.page.getByRole("button", { name: "Change" }).click();
      await pia.page.getByLabel("Your name").waitFor();
      await check(pia, "the first view");
    }
  });
});

// Last, because it replaces the stack.
scene("after a restart the page finds the new stack", async (come) => {
  const quin = await come("quin", { hash: "#/room/lasting" });
  await quin.say("before the end");
  await quin.message("before the end").locator(".receipt").waitFor();
  await stack.down();
  await quin.sees("offline");
  await quin.page.locator(".banner").getByText("does not answer").waitFor();
  await quin.say("written in between");
  await stack.up();
  // The banner is shown for some seconds only, so the wait starts first.
  const banner = quin.page.locator(".banner").getByText("not all missed messages could be recovered").waitFor();
  await Promise.all([banner, quin.tryNow()]);
  await quin.sees("live");
  await quin.reads("written in between");
  // The emulator has lost its table, so this is a new log.
  await quin.page.getByText("Something may be missing here").waitFor();
  const ruth = await come("ruth", { hash: "#/room/lasting" });
  await ruth.reads("written in between");
  await ruth.say("after it");
  await quin.reads("after it");
  assert.deepEqual(await quin.texts(), ["before the end", "written in between", "after it"]);
});

/** The newest sequence of a channel's log. */
async function headOf(channel) {
  const answer = await fetch(`${stack.address}page/dashboard?channel=${channel}`);
  const { channels } = await answer.json();
  return channels[0].head;
}

/** Waits until the list stands still: nothing is loading, and four frames in a row show the same rows at the same place. */
async function settle(person) {
  const look = () =>
    person.page.getByRole("feed").evaluate(async (feed) => {
      const state = () => {
        const rows = [...feed.querySelectorAll(".row")];
        return [feed.getAttribute("aria-busy"), feed.scrollTop, feed.scrollHeight, rows.length, rows[0]?.dataset.id, rows.at(-1)?.dataset.id].join();
      };
      const seen = new Set();
      for (let frame = 0; frame < 4; frame += 1) {
        // The timer too: a message is drawn up to 50 ms after it came.
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 20)));
        seen.add(state());
      }
      return { isBusy: feed.getAttribute("aria-busy") === "true", states: seen.size };
    });
  await until("the list stands still", look, ({ isBusy, states }) => !isBusy && states === 1);
}

/** Reads the conversation from its beginning to its end by scrolling. Each step waits until the rows in view are drawn. */
async function readThrough(person) {
  const feed = person.page.getByRole("feed");
  await until(
    "the beginning",
    () =>
      feed.evaluate((element) => {
        element.scrollTop = 0;
        return `${element.getAttribute("aria-busy")} ${element.querySelector(".beginning") !== null}`;
      }),
    (seen) => seen === "false true",
  );
  return await feed.evaluate(async (element) => {
    const isDrawn = () => {
      const view = element.getBoundingClientRect();
      const rows = [...element.querySelectorAll(".row")].map((row) => row.getBoundingClientRect());
      const isFull = element.scrollHeight <= element.clientHeight || rows.at(-1)?.bottom >= view.bottom - 2;
      return element.getAttribute("aria-busy") === "false" && rows[0]?.top <= view.top + 2 && isFull;
    };
    const texts = new Map();
    for (let isEnd = false; !isEnd; ) {
      // The list draws in the frame after a scroll.
      do await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      while (!isDrawn());
      for (const row of element.querySelectorAll(".row:has(.text)")) texts.set(row.dataset.id, row.querySelector(".text").textContent);
      isEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - 2;
      element.scrollTop += element.clientHeight / 2;
    }
    return [...texts.values()];
  });
}

async function check(person, view) {
  await person.page.evaluate(AXE);
  const { violations } = await person.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
  assert.deepEqual(found, [], `${view} of ${person.name}`);
}
