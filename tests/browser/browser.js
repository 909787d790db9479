/** People who use the page in a real browser. */

import { chromium } from "playwright-core";

const CHROMIUM = process.env.HUBBUB_CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a condition may take on a busy host. Only a test that fails waits this long. */
export const PATIENCE = 30_000;

export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };

export async function launch() {
  // Each launch has a profile of its own.
  return await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** A user with a window of their own. */
export class Person {
  constructor(name, page) {
    this.name = name;
    this.page = page;
    /** Errors in the page. */
    this.errors = [];
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => this.errors.push(error.stack ?? error.message));
    page.on("console", (message) => {
      // The browser reports a cut or refused socket as an error. The tests cause these.
      if (message.type() === "error" && !/WebSocket|ERR_CONNECTION|Failed to load resource/.test(message.text())) this.errors.push(message.text());
    });
  }

  /** Opens the page and signs in. `through` is a proxy for the sockets. */
  static async come(browser, stack, name, { isModerator = false, through, hash = "", ...options } = {}) {
    const context = await browser.newContext({ ...DESKTOP, reducedMotion: "reduce", ...options });
    const person = new Person(name, await context.newPage());
    if (through) await person.#goThrough(through);
    await person.page.goto(`${stack.address}page/${hash}`);
    await person.signIn(isModerator);
    return person;
  }

  /** Puts the proxy into the address of `stack.json`. */
  async #goThrough(proxy) {
    await this.page.route("**/stack.json", async (route) => {
      const answer = await route.fetch();
      const stack = await answer.json();
      const url = new URL(stack.url);
      url.port = String(proxy.port);
      await route.fulfill({ response: answer, json: { ...stack, url: url.href } });
    });
  }

  async signIn(isModerator = false) {
    await this.page.getByLabel("Your name").fill(this.name);
    if (isModerator) await this.page.getByLabel("I am a moderator").check();
    await this.page.keyboard.press("Enter");
  }

  /** Waits for a status of the connection. */
  async sees(status) {
    await this.page.locator(`.status[data-status="${status}"]`).waitFor({ state: "attached" });
  }

  /** Presses "Try now", unless the client connects by itself before. */
  async tryNow() {
    const pressed = this.page.getByRole("button", { name: "Try now" }).click();
    await Promise.race([pressed.catch(() => {}), this.sees("live")]);
  }

  async open(hash) {
    await this.page.evaluate((to) => (location.hash = to), hash);
    await this.page.locator("h1").first().waitFor();
  }

  async say(text) {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** The row of the message with exactly this text. */
  message(text) {
    return this.page.locator(".row", { has: this.page.locator(".text").getByText(text, { exact: true }) });
  }

  async reads(text) {
    await this.message(text).first().waitFor();
  }

  /** The texts of the conversation that are in the document, from the top. */
  async texts() {
    return await this.page.locator(".row .text").allTextContents();
  }

  async leave() {
    await this.page.unrouteAll({ behavior: "ignoreErrors" });
    await this.page.context().close();
  }
}

/** Waits until a condition holds, and fails with what was seen instead. */
export async function until(what, look, isSo) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (isSo(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`${what}: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
