// The walk: an admin comes to an empty console by a link, connects an org, sees what comes of it,
// mends and decides, and leaves. With SHORT=1 it ends at the first match.
//
//     node tests/walk/walk.mjs              (the programs from target/debug)
//     BINARIES=folder SHORT=1 LOOK=folder   (LOOK: pictures of every page, for looking at)

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { Home, ROOT, until } from "./home.mjs";
import { hostilePages } from "./hostile.mjs";
import { Person } from "./person.mjs";

const SHORT = Boolean(process.env.SHORT);
const BINARIES = resolve(ROOT, process.env.BINARIES || "target/debug");
/** The walk ends by itself after so long, in milliseconds, whatever happens. */
const LONGEST = SHORT ? 300_000 : 900_000;
/** The most bytes that come over the wire until the first page stands. */
const LARGEST_FIRST_PAGE = 100_000;

const PAGES = [
  "", "/wizard", "/health", "/runs", "/matches", "/review", "/duplicates", "/rules", "/models",
  "/record", "/fields", "/filters", "/schedule", "/saving", "/seats", "/audit", "/doctor",
  "/network", "/leave",
];

/** The pages for who runs the product. */
const OF_OPERATORS = ["/console/operate", "/console/operate/directory", "/console/operate/queues"];

let home;
let person;
const begun = Date.now();

const at = (path) => `${home.base}/console/production${path}`;

const step = async (name, work) => {
  const start = Date.now();
  await work();
  person.isContent();
  console.log(`ok  ${name}  (${((Date.now() - start) / 1000).toFixed(1)} s)`);
};

/** Saves a picture of the page as it is, if somebody asked for pictures. */
const picture = (name) => async (width, theme) => {
  if (!process.env.LOOK) return;
  mkdirSync(process.env.LOOK, { recursive: true });
  const path = join(process.env.LOOK, `${name}-${width}-${theme}.png`);
  await person.page.screenshot({ path, fullPage: true });
};

const holdAll = async (paths, state, place = at) => {
  for (const path of paths) {
    const name = `${state}${path.replaceAll(/[^A-Za-z]+/g, "-").slice(0, 40) || "-start"}`;
    await person.hold(place(path), picture(name));
  }
};

const logIn = async () => {
  const link = home.link("ada");
  await person.open(link);
  await person.sees("You log in as ada");
  await person.isAt("Log in");
  const loaded = person.page.waitForURL(at(""));
  await person.page.keyboard.press("Enter");
  await loaded;
  return link;
};

const comesByALink = async () => {
  const wire = await person.context.newCDPSession(person.page);
  await wire.send("Network.enable");
  let bytes = 0;
  wire.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  const link = await logIn();
  await person.sees("No org is connected in production");
  await wire.detach();
  assert.ok(bytes > 1_000 && bytes <= LARGEST_FIRST_PAGE, `${bytes} bytes until the first page`);
  console.log(`    ${bytes} bytes over the wire until the first page`);
  const [cookie] = await person.context.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Lax"]);
  // The link is used up.
  await person.open(link);
  await person.sees("This link does not work any more");
  await person.press("To the start");
};

const emptyPages = () => holdAll(PAGES, "empty");

const logInAtSalesforce = async () => {
  const opened = person.context.waitForEvent("page");
  await person.tabTo("Go to Salesforce’s login");
  await person.page.keyboard.press("Enter");
  const salesforce = await opened;
  await person.isAt("Username", salesforce);
  await salesforce.keyboard.type(home.username);
  await person.write("Password", "any", salesforce);
  await person.press("Log In", salesforce);
  await person.press("Allow", salesforce);
  await salesforce.getByText("You can close this window.").waitFor();
  await salesforce.close();
  // The console notices by itself.
  await person.page.waitForURL(at("/wizard"));
};

const connects = async () => {
  await person.open(at(""));
  await person.press("Set up");
  await person.press("Connect");
  await person.sees("Waiting for the login");
  await logInAtSalesforce();
  await person.sees("2. Saving and logging");
};

const answersTheRest = async () => {
  await person.press("Save and go on");
  await person.sees("3. Return on investment");
  await person.tick("Report on won deals");
  await person.press("Save and go on");
  await person.sees("4. The rest");
  await person.press("Back one step");
  await person.sees("3. Return on investment");
  await person.press("Save and go on");
  await person.press("Save and finish");
  await person.sees("Everything is set up.");
};

const mendsAPermission = async () => {
  const hidden = person.page.locator("#permissions td code", { hasText: /^Title$/ });
  await hidden.first().waitFor();
  await home.hide();
  await person.press("Check again");
  await until("the permission to be found", async () => {
    await person.page.waitForTimeout(500);
    await person.open(at("/wizard"));
    return (await hidden.count()) === 0;
  });
};

/** A record of this decision, as the API lists it. */
const recordWith = async (object, decision) => {
  for (let next = ""; next !== undefined && next !== null; ) {
    const cursor = next && `&cursor=${encodeURIComponent(next)}`;
    const page = await home.connection(`/matches?object=${object}${cursor}`);
    const found = page.items.find((item) => item.decision === decision);
    if (found) return found.record_id;
    ({ next } = page);
  }
  return null;
};

const seesAMatch = async () => {
  const record = await until("a match", () => recordWith("Lead", "match"));
  await person.open(at("/record"));
  await person.tabTo("Object");
  await person.page.keyboard.type("Lead");
  await person.write(/^Record’s id/, record);
  await person.press("Look");
  await person.sees("Linked to");
  assert.match(await person.text(), /Probability\s+\d/);
};

const theImportEnds = async () => {
  await person.open(at("/health"));
  await person.sees(/^Complete$/, true);
  await until("every match", async () => {
    const { items } = await home.connection("/match-runs");
    return items.length > 0 && items.every((run) => run.finished_at);
  });
};

const pagesHold = async () => {
  const [run] = (await home.connection("/runs")).items;
  const record = await recordWith("Lead", "match");
  const more = [`/runs/${run.run_id}`, `/records/Lead/${record}`];
  await holdAll([...PAGES, ...more], "connected");
};

const theKeysStopInOrder = async () => {
  await person.open(at("/schedule"));
  const stops = await person.stops();
  assert.deepEqual(stops, [
    "Go to the page’s content", "CRM sync", "Production", "Sandbox", "Log out", "Log out everywhere",
    "Start", "Set up", "Health", "Runs", "Match quality", "Review", "Duplicates", "Rules",
    "Learning", "One record", "Fields",
    "Filters", "Schedule", "Saving and logging", "Seats", "Audit log", "Doctor", "Network access",
    "Disconnect", "Minutes from one import to the next",
    "Pause the schedule; imports that a person asks for still run",
    "Stand back at this share of the org’s daily calls, in per cent",
    "Calls that are kept for sellers",
    "Hours after which formulas are read again a formula changes without a trace", "Save",
  ]);
  // The first stop leads past the list of pages.
  await person.page.reload();
  await person.page.keyboard.press("Tab");
  await person.page.keyboard.press("Enter");
  await person.tabTo("Minutes from one import to the next");
};

const decidesAndUndoes = async () => {
  const record = await until("a record to review", async () => {
    for (const object of ["Lead", "Contact", "Account"]) {
      const found = await recordWith(object, "review");
      if (found) return `${object}/${found}`;
    }
    return null;
  });
  const path = `/v1/tenants/${home.tenant}/connections/production/matches/${record}`;
  await person.open(at(`/review?object=${record.split("/")[0]}`));
  await person.tabTo(new RegExp(record.split("/")[1]));
  await person.press("It is this one");
  await person.sees("Your decision holds. It can be undone.");
  assert.equal((await home.api("GET", path)).decision, "match");
  await person.open(at(`/records/${record}`));
  await person.sees("People said it is");
  await person.press("Undo what was said");
  await person.sees("Undone: what was said of this record does not hold any more.");
  assert.equal((await home.api("GET", path)).ruling ?? null, null);
};

const comesFromTheIssuer = async () => {
  await person.open(at("/audit"));
  await person.sees("You are not logged in.");
  await person.hold(`${home.base}/console/login`, picture("login"));
  await person.press("Log in with your company’s account");
  await person.press("I am Grace");
  await person.page.waitForURL(at(""));
  await person.sees("grace");
  const names = (await person.context.cookies()).map((cookie) => cookie.name);
  assert.ok(names.includes("crm-sync-console") && !names.includes("crm-sync-login"), names.join());
  await person.press("Log out");
  await person.sees("You are not logged in.");
};

/** Who runs the product comes by a link of their own, and sees no customer's pages. */
const operates = async () => {
  await person.begin();
  await person.open(home.linkOfOperator("olga"));
  await person.sees("You log in as olga");
  await person.press("Log in");
  await person.page.waitForURL(`${home.base}/console/operate`);
  await person.sees("Acme");
  await person.sees("Connected");
  await person.press("Reconnect required");
  await person.sees("None.");
  await person.press("Directory");
  await person.sees(/^Current$/);
  await person.press("Queues");
  await person.sees("No dead letters.");
  await holdAll(OF_OPERATORS, "operate", (path) => home.base + path);
  await person.open(at("/matches"));
  await person.page.waitForURL(`${home.base}/console/operate`);
  await person.press("Log out");
  await person.begin();
  await logIn();
};

const looksAtDuplicatesAndLearns = async () => {
  await person.open(at("/duplicates"));
  for (const object of ["Lead", "Contact", "Account"]) {
    if (await recordWith(object, "duplicate")) {
      await person.open(at(`/duplicates?object=${object}`));
      await person.sees("Merge them in Salesforce");
      assert.match(await person.text(), new RegExp(`${object} [0-9A-Za-z]{18}`));
    }
  }
  await person.open(at("/models"));
  await person.press("Learn from what was said so far");
  await person.sees("A model is being made of what was said");
  await person.sees("There were too few decisions to learn from.");
};

/** The other way round every page fits as well. */
const readsFromRightToLeft = async () => {
  for (const path of PAGES) await person.fits(at(path));
};

/** The worst texts of an org break no page, at either width. */
const hostileTextsBreakNothing = async () => {
  const folder = process.env.HOSTILE_PAGES;
  assert.ok(folder, "make walk has the pages written, and says where");
  const hostile = await hostilePages(folder);
  assert.ok(hostile?.pages.length > 100, `${hostile?.pages.length} pages in ${folder}`);
  person.hosts = [new URL(hostile.base).host, ...person.hosts];
  for (const page of hostile.pages) await person.fits(page);
  person.hosts.shift();
  hostile.stop();
  console.log(`    ${hostile.pages.length} pages`);
};

const triesAutoSave = async () => {
  await person.open(at("/saving"));
  await person.tick("accounts that they own");
  await person.press("Try it: what would be saved?");
  await person.sees("Nothing is saved and no setting is changed");
  await until("the dry run", async () => (await home.connection("/saving/dry-run")).finished_at);
  await person.open(at("/saving"));
  await person.sees("Seats that would get the most");
};

const mapsAField = async () => {
  const record = await recordWith("Lead", "match");
  await home.control("PATCH", `/orgs/${home.org}/records/Lead/${record}`, {
    Direct_Line__c: "+1 555 0100",
  });
  await person.open(at("/fields"));
  await person.tabTo("Object");
  await person.page.keyboard.type("Lead");
  const fill = async () => {
    await person.write("Standard field", "Phone");
    await person.write("Custom field", "Direct_Line__c");
  };
  await fill();
  await person.write(/^A record to look at/, record);
  await person.press("Preview");
  await person.sees("+1 555 0100", true);
  await person.tabTo("Object");
  await person.page.keyboard.type("Lead");
  await fill();
  await person.press("Read this field from now on");
  await person.sees("Saved.");
  const { items } = await home.connection("/field-mappings");
  assert.deepEqual(items.map((item) => item.custom_field), ["Direct_Line__c"]);
};

const pausesARun = async () => {
  // What was asked for before is over: one run at a time.
  await until("no run", async () => {
    const { items } = await home.connection("/runs");
    return items.every((run) => run.finished_at);
  });
  const slow = { path: "/jobs/query", kind: "delay", ms: 1_500, times: 0 };
  await home.control("POST", "/faults", slow);
  await person.open(at("/runs"));
  await person.tabTo("Run now");
  await person.tick("Read every row, not only what changed");
  await person.page.keyboard.press("Shift+Tab");
  const loaded = person.page.waitForEvent("load");
  await person.page.keyboard.press("Enter");
  await loaded;
  await person.sees("A run has begun.");
  const [{ run_id: run }] = (await home.connection("/runs")).items;
  await person.open(at(`/runs/${run}`));
  await person.press("Pause");
  await person.sees("The run is paused.");
  // Who cannot see the page hears what was done, and what moves by itself.
  assert.match(await person.page.getByRole("status").innerText(), /paused/);
  assert.equal(await person.page.locator("#run").getAttribute("aria-live"), "polite");
  assert.equal((await home.connection(`/runs/${run}`)).paused, true);
  await person.press("Resume");
  await person.sees("The run goes on.");
  await home.control("DELETE", "/faults");
  // What moves by itself is shown as it moves: nobody loads this page again.
  await person.page.locator("#run").getByText(/^Complete$/).first().waitFor();
};

const connectsAgain = async () => {
  await home.control("DELETE", `/orgs/${home.org}/grants`);
  await home.control("DELETE", `/orgs/${home.org}/sessions`);
  await person.open(at("/runs"));
  await person.press("Run now");
  await person.open(at("/health"));
  await person.sees("Reconnect required", true);
  await holdAll(["", "/health", "/wizard", "/doctor"], "reconnect");
  await person.open(at("/health"));
  await person.press("Connect again");
  await person.press("Connect again");
  await logInAtSalesforce();
  await person.open(at("/health"));
  await person.sees(/^Connected$/);
};

const leaves = async () => {
  await person.open(at("/leave"));
  await person.tick("Delete what was brought in");
  await person.press("Disconnect and delete");
  // The page follows the deletion by itself.
  await person.sees("Certificate");
  await person.sees("Nothing is left of what this org brought in.");
  await holdAll(["", "/wizard", "/health", "/leave", "/purges/production-1"], "left");
};

const logsOut = async () => {
  await person.open(at(""));
  await person.press("Log out everywhere");
  await person.sees("You are not logged in.");
  await person.open(at("/audit"));
  await person.sees("You are not logged in.");
};

const walk = async () => {
  home = await Home.start(BINARIES, join(ROOT, ".local", SHORT ? "walk-short" : "walk"));
  person = await Person.start([home.base, home.simulator.http_url, home.issuer.address]);
  await home.hide("Contact.Title");
  await home.publishDirectory();
  await step("a link logs in, once", comesByALink);
  if (!SHORT) await step("every page of an empty tenant, both themes", emptyPages);
  await step("an org is connected", connects);
  await step("the wizard is answered", answersTheRest);
  if (!SHORT) await step("a missing permission is found, granted, checked again", mendsAPermission);
  await step("a match is seen", seesAMatch);
  if (SHORT) return;
  await step("the first import ends", theImportEnds);
  await step("auto-save is tried out", triesAutoSave);
  await step("duplicates are looked at, and learning says when it is too early", looksAtDuplicatesAndLearns);
  await step("every page of a connected org, both themes", pagesHold);
  await step("every page from right to left", readsFromRightToLeft);
  await step("who runs the product sees tenants, directory and queues", operates);
  await step("the keys stop in order", theKeysStopInOrder);
  await step("a review is decided and undone", decidesAndUndoes);
  await step("a field is previewed and mapped", mapsAField);
  await step("a run is paused and goes on", pausesARun);
  await step("a grant is refused, and the org connected again", connectsAgain);
  await step("the org is disconnected, with a certificate", leaves);
  await step("logged out everywhere", logsOut);
  await step("somebody logs in at their company's issuer", comesFromTheIssuer);
  await step("the worst texts of an org break no page", hostileTextsBreakNothing);
};

const tooLong = setTimeout(() => {
  console.error(`the walk took longer than ${LONGEST / 1000} s`);
  end(1);
}, LONGEST);

const end = async (code) => {
  clearTimeout(tooLong);
  await person?.stop().catch(() => {});
  await home?.stop();
  process.exit(code);
};

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end(1));
process.once("uncaughtException", (error) => {
  console.error(error);
  end(1);
});

try {
  await walk();
  console.log(`the walk took ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  await end(0);
} catch (error) {
  console.error(error);
  if (person) {
    const path = home.file("failed.png");
    await person.page.screenshot({ path, fullPage: true }).catch(() => {});
    console.error(`at ${person.page.url()}, seen in ${path}`);
  }
  await end(1);
}
