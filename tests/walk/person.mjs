// A person at a keyboard: everything that they do is done by keys, and every page that they see is
// held to what no page may break.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

import { PATIENCE, until } from "./home.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** No page has as many places to stop at. */
const MOST_STOPS = 150;

/** The name of an element, as whoever cannot see it hears it. */
const NAME = (element) => {
  const label = element.getAttribute("aria-label") || element.labels?.[0]?.innerText;
  const text = label || element.innerText || element.textContent || element.value || "";
  return text.replace(/\s+/g, " ").trim();
};

export class Person {
  /** Opens a browser. `hosts` are those that it may meet: the console's first, then others'. */
  static async start(hosts) {
    const person = new Person();
    person.hosts = hosts.map((url) => new URL(url).host);
    person.wrong = [];
    const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    person.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: [...root, "--disable-background-networking"],
    });
    await person.begin();
    return person;
  }

  /** A browser without a past. */
  async begin() {
    await this.context?.close();
    const viewport = { width: 1280, height: 900 };
    this.context = await this.browser.newContext({ viewport, locale: "en-GB", timezoneId: "UTC" });
    this.context.setDefaultTimeout(PATIENCE);
    this.context.on("request", (request) => this.#isAllowed(request));
    this.context.on("console", (message) => {
      if (/Content.Security.Policy/i.test(message.text())) this.wrong.push(message.text());
    });
    this.context.on("weberror", (error) => this.wrong.push(String(error.error())));
    this.page = await this.context.newPage();
  }

  /** No page asks another host for anything; only a link that is followed leads to one. */
  #isAllowed(request) {
    const url = new URL(request.url());
    const [own, ...others] = this.hosts;
    if (url.host === own) return;
    const isOfAnother = () => new URL(request.frame().url()).host === url.host;
    const may = others.includes(url.host) && (request.isNavigationRequest() || isOfAnother());
    if (!may) this.wrong.push(`asked ${request.url()}`);
  }

  /** Opens an address. */
  async open(address) {
    await this.page.goto(address, { waitUntil: "load" });
  }

  /** What the page says. */
  text() {
    return this.page.locator("body").innerText();
  }

  /** Waits until the page says something: of itself, or when it is loaded again. */
  async sees(text, reload) {
    const shown = this.page.getByText(text).first();
    if (!reload) return shown.waitFor({ state: "visible" });
    const end = Date.now() + PATIENCE;
    while (!(await shown.isVisible())) {
      if (Date.now() > end) throw new Error(`waited for ${text} at ${this.page.url()}`);
      await this.page.waitForTimeout(400);
      await this.page.reload({ waitUntil: "load" });
    }
  }

  /** The name of what has the focus. */
  focused(page = this.page) {
    return page.evaluate(`(${NAME})(document.activeElement)`);
  }

  /** Waits until the page has put the focus on what has this name. */
  isAt(name, page = this.page) {
    return until(`the focus on ${name}`, async () => {
      const found = await this.focused(page).catch(() => null); // it is on its way elsewhere
      return found === name;
    });
  }

  /** Goes on by the tab key until something of this name, or with this value, has the focus. */
  async tabTo(name, page = this.page) {
    const seen = [];
    for (let stop = 0; stop < MOST_STOPS; stop += 1) {
      await page.keyboard.press("Tab");
      const found = await this.focused(page);
      if (typeof name === "string" ? found === name : name.test(found)) return found;
      seen.push(found);
    }
    throw new Error(`no way by keyboard to ${name} at ${page.url()}: ${[...new Set(seen)].join(" · ").slice(0, 800)}`);
  }

  /** Presses a button, or follows a link. */
  async press(name, page = this.page) {
    await this.tabTo(name, page);
    const loaded = page.waitForEvent("load");
    await page.keyboard.press("Enter");
    await loaded;
  }

  /** Ticks a box. */
  async tick(name) {
    await this.tabTo(name);
    await this.page.keyboard.press("Space");
  }

  /** Writes into a field, in place of what is there. */
  async write(name, text, page = this.page) {
    await this.tabTo(name, page);
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type(text);
  }

  /** The names of all that the tab key stops at, from the page's beginning on. */
  async stops() {
    await this.page.reload({ waitUntil: "load" });
    const names = [];
    for (;;) {
      await this.page.keyboard.press("Tab");
      const isOut = await this.page.evaluate("document.activeElement === document.body");
      if (isOut || names.length > MOST_STOPS) return names;
      names.push(await this.focused());
    }
  }

  /** Holds a page to what axe knows, at both widths and in both themes; it fits the window. */
  async hold(path, look) {
    for (const width of [1280, 390]) {
      await this.page.setViewportSize({ width, height: 900 });
      await this.open(path);
      for (const colorScheme of ["light", "dark"]) {
        await this.page.emulateMedia({ colorScheme });
        await this.#inspect(`${path} (${width}, ${colorScheme})`);
        await look(width, colorScheme);
      }
    }
    await this.page.emulateMedia({ colorScheme: "light" });
    await this.page.setViewportSize({ width: 1280, height: 900 });
  }

  async #inspect(where) {
    // Nothing is looked at while a colour changes.
    await this.page.evaluate(
      "Promise.allSettled(document.getAnimations().map((each) => each.finished)).then(() => null)");
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate("axe.run()");
    for (const { id, nodes: [{ html, failureSummary }] } of violations) {
      this.wrong.push(`${where}: ${id}: ${html} ${failureSummary}`);
    }
    const sideways = await this.page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth");
    if (sideways > 0) this.wrong.push(`${where}: ${sideways} px wider than the window`);
  }

  /** Holds a page to fitting its window as it is and the other way round, and to what axe knows. */
  async fits(path) {
    for (const width of [1280, 390]) {
      await this.page.setViewportSize({ width, height: 900 });
      await this.open(path);
      for (const direction of ["ltr", "rtl"]) {
        await this.page.evaluate((dir) => (document.documentElement.dir = dir), direction);
        const sideways = await this.page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth");
        if (sideways > 0) this.wrong.push(`${path} (${width}, ${direction}): ${sideways} px too wide`);
      }
    }
    await this.page.setViewportSize({ width: 1280, height: 900 });
    await this.#inspect(path);
  }

  /** Nothing went wrong on any page so far. */
  isContent() {
    assert.deepEqual([...new Set(this.wrong)], []);
  }

  async stop() {
    await this.browser?.close();
  }
}
