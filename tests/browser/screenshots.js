/** Takes the pictures for README.md: people talk on a local stack, and one of them loses the connection for a while. */

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DESKTOP, launch, Person, PHONE, until } from "./browser.js";
import { Proxy } from "./proxy.js";
import { Stack } from "./stack.js";

const FOLDER = fileURLToPath(new URL("../../docs/images", import.meta.url));

const TALK = [
  ["nora", "Good morning! The tickets for tonight go on sale at ten."],
  ["emil", "How many people are waiting already?"],
  ["nora", "A little over forty thousand, all in one room."],
  ["ada.k", "And nobody has refreshed the page yet 🎉"],
  ["emil", "Then the countdown comes by the room as well? I'd rather not have them poll."],
  ["nora", "Yes: a service puts it on the queue, and everybody has it a moment later.\nAfter a tunnel you get what you missed."],
  ["ada.k", "Numbers from the rehearsal: https://example.com/rehearsal"],
];
const MISSED = [
  ["emil", "Five minutes to go"],
  ["nora", "The second hall is open too, by the way"],
  ["ada.k", "Then I take the stairs"],
];

mkdirSync(FOLDER, { recursive: true });
const [stack, browser] = await Promise.all([Stack.start({ inlineLimit: 3 }), launch()]);
const proxy = await Proxy.before(stack.port);
try {
  const come = async (name, options) => {
    const person = await Person.come(browser, stack, name, options);
    await person.sees("live");
    return person;
  };
  const people = {
    nora: await come("nora", { colorScheme: "light", isModerator: true }),
    emil: await come("emil", { colorScheme: "dark" }),
    "ada.k": await come("ada.k", { colorScheme: "dark" }),
    jun: await come("jun", { ...PHONE, colorScheme: "light", through: proxy }),
  };
  const everyone = Object.values(people);
  const talk = async (lines, readers) => {
    for (const [name, text] of lines) {
      await people[name].say(text);
      await Promise.all(readers.map((person) => person.page.getByText(text.split("\n")[0], { exact: false }).first().waitFor({ state: "attached" })));
    }
  };
  const shoot = (person, name) => person.page.screenshot({ path: `${FOLDER}/${name}.png` });
  await talk(TALK, everyone);
  for (const room of ["tickets", "backstage"])
    for (const { page } of [people.nora, people.emil]) {
      await page.getByRole("textbox", { name: "Join a room" }).fill(room);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: `# ${room}` }).waitFor();
    }
  await people.emil.open("#/direct/nora");
  await people.emil.say("Shall I take the door at eight?");
  await stack.publish(
    "room:tickets",
    Array.from({ length: 4 }, (_, index) => ({ text: `gate ${index + 1} is ready` })),
    { from: "gates" },
  );
  for (const person of [people.nora, people.emil]) await person.open("#/room/lobby");
  await until(
    "the unread marks",
    () => people.nora.page.locator(".badge").allTextContents(),
    (texts) => texts.filter(Boolean).length >= 2,
  );
  await until(
    "who is here",
    () => people.nora.page.locator(".people li").count(),
    (count) => count === everyone.length,
  );
  await until(
    "the receipts",
    () => people.nora.page.locator(".receipt").count(),
    (count) => count === TALK.filter(([name]) => name === "nora").length,
  );
  await people.nora.page.mouse.move(640, 20);
  await shoot(people.nora, "page-light");

  await proxy.close();
  await people.jun.sees("offline");
  await talk(
    MISSED,
    everyone.filter((person) => person !== people.jun),
  );
  await proxy.open();
  await people.jun.tryNow();
  await people.jun.page.getByText("3 messages recovered", { exact: false }).first().waitFor();
  await people.jun.reads(MISSED.at(-1)[1]);
  await people.jun.page.mouse.move(195, 20);
  await shoot(people.jun, "page-phone");

  await people.emil.open("#/dashboard");
  const chatter = setInterval(() => stack.publish("room:lobby", [{ text: "tick" }], { from: "countdown" }).catch(() => {}), 300);
  // The lines of the tiles show what was measured in this time.
  await new Promise((resolve) => setTimeout(resolve, 45_000));
  await shoot(people.emil, "machine-dark");
  clearInterval(chatter);
} finally {
  await browser.close();
  await proxy.close();
  await stack.stop();
}
