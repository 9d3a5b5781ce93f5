// The badge in a browser: what it says, how many calls a page of badges takes, and that nothing of
// an answer is read as markup.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test, { after, before } from "node:test";

import { Served } from "./served.mjs";

// The browser's driver is the console's walk's own.
const walk = createRequire(new URL("../../../tests/walk/package.json", import.meta.url));
const { chromium } = walk("playwright-core");

const FILES = {
  "/client.js": new URL("../dist/client.js", import.meta.url),
  "/badge.js": new URL("../dist/badge.js", import.meta.url),
  "/openapi-fetch.js": new URL("../node_modules/openapi-fetch/dist/index.mjs", import.meta.url),
};
const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Badges</title>
<script type="importmap">{ "imports": { "openapi-fetch": "/openapi-fetch.js" } }</script>
<script type="module">
  import { crmSync } from "/client.js";
  import { defineBadge } from "/badge.js";
  const client = crmSync({ baseUrl: location.origin, token: () => "token" });
  defineBadge(client, { tenant: "ten_1", environment: "production", seat: "seat_1" });
</script><main></main></html>`;

const record = (url) => ({
  object: "Contact", record_id: "003000000000001AAA", record_url: url, linked_by: "engine",
});
const bare = { state: "not_in_crm", record: null, outdated: [], missing: [] };
const KNOWN = {
  in: { ...bare, state: "in_crm", record: record("https://acme.example/003000000000001AAA") },
  old: { ...bare, state: "out_of_date", record: record("https://acme.example/2"),
    outdated: [{ fact: "title", now: "<img src=x onerror=alert(1)>" }] },
  evil: { ...bare, state: "in_crm", record: record("javascript:alert(1)") },
};

let served;
let browser;
let page;
let isDown = false;

before(async () => {
  served = await Served.start(({ url, body }) => {
    const file = FILES[url];
    if (file) {
      const headers = { "content-type": "text/javascript" };
      return { headers, body: readFileSync(file, "utf8") };
    }
    if (!body) return { headers: { "content-type": "text/html" }, body: PAGE };
    if (isDown) return { status: 500, body: { type: "internal", title: "No", status: 500 } };
    const badges = body.entity_ids.map((id) => ({ entity_id: id, ...(KNOWN[id] ?? bare) }));
    return { body: { directory_version: null, badges } };
  });
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: root });
  page = await browser.newPage();
});

after(async () => {
  await browser?.close();
  await served.stop();
});

/** Shows a page with this in it; what each badge says once it knows. */
const shown = async (markup) => {
  served.asked.length = 0;
  await page.goto(served.base);
  await page.evaluate((inside) => (document.querySelector("main").innerHTML = inside), markup);
  await page.waitForFunction(() =>
    [...document.querySelectorAll("crm-badge")].every((badge) => badge.hasAttribute("state")),
  );
  return page.evaluate(() =>
    [...document.querySelectorAll("crm-badge")].map((badge) => {
      const { textContent: text, href = null, title, tagName } = badge.shadowRoot.firstChild;
      return { state: badge.getAttribute("state"), text, href, title, tag: tagName.toLowerCase() };
    }),
  );
};

const calls = () => served.asked.filter(({ body }) => body);

test("a badge says where the person stands, and leads to the record", async () => {
  const badges = await shown(
    ["in", "none", "old"].map((id) => `<crm-badge entity-id="${id}"></crm-badge>`).join(""),
  );
  assert.deepEqual(badges.map(({ state, text, tag }) => [state, text, tag]), [
    ["in_crm", "In CRM", "a"],
    ["not_in_crm", "Not in CRM", "span"],
    ["out_of_date", "Out of date in CRM", "a"],
  ]);
  assert.equal(badges[0].href, "https://acme.example/003000000000001AAA");
  assert.equal(badges[2].title, "title: <img src=x onerror=alert(1)>", "text, and no markup");
});

test("a page of 250 badges of people and two of companies takes four calls", async () => {
  const people = Array.from({ length: 250 }, (_, n) => `<crm-badge entity-id="p${n}"></crm-badge>`);
  const twice = `<crm-badge entity-id="p1"></crm-badge>`;
  const companies = ["c1", "c2"].map(
    (id) => `<crm-badge entity-kind="company" entity-id="${id}"></crm-badge>`,
  );
  const badges = await shown([...people, twice, ...companies].join(""));
  assert.equal(badges.length, 253);
  // They are under way at once, and arrive as they do.
  const sizes = calls().map(({ body }) => `${body.entity_ids.length} of ${body.entity_kind}`);
  assert.deepEqual(sizes.sort(), ["100 of person", "100 of person", "2 of company", "50 of person"]);
});

test("an address that is none of the web's is no link", async () => {
  const [badge] = await shown(`<crm-badge entity-id="evil"></crm-badge>`);
  assert.deepEqual([badge.state, badge.tag, badge.href], ["in_crm", "span", null]);
});

test("a product that does not answer leaves the page whole", async () => {
  isDown = true;
  const [badge] = await shown(`<crm-badge entity-id="in"></crm-badge>`);
  isDown = false;
  assert.deepEqual([badge.state, badge.text], ["unknown", "CRM unknown"]);
});

test("a badge that is turned to somebody else tells of them alone", async () => {
  await shown(`<crm-badge entity-id="in"></crm-badge>`);
  const state = await page.evaluate(async () => {
    const badge = document.querySelector("crm-badge");
    const told = new Promise((tell) => badge.addEventListener("crm-badge", tell, { once: true }));
    badge.setAttribute("entity-id", "old");
    badge.setAttribute("entity-id", "none");
    const { detail } = await told;
    return [detail.entity_id, badge.getAttribute("state")];
  });
  assert.deepEqual(state, ["none", "not_in_crm"]);
});
