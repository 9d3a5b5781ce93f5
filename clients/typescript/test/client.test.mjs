// What the client adds to the calls: the token, problems as errors, patience where it is safe.

import assert from "node:assert/strict";
import test from "node:test";

import { all, crmSync, newKey, ProblemError } from "../dist/client.js";
import { Served } from "./served.mjs";

const path = { tenant: "ten_1", environment: "production", seat: "seat_1" };
const BADGES = "/v1/tenants/{tenant}/connections/{environment}/seats/{seat}/badges";
const ACTIVITIES = "/v1/tenants/{tenant}/connections/{environment}/activities";
const NOTE = {
  kind: "note", entity_kind: "person", entity_id: "pr_1", body: "Met",
  occurred_at: "2026-11-20T10:00:00Z",
};
const BUSY = { type: "too_many", title: "This was asked for too often", status: 429 };

/** A client of a server that answers so, for as long as the test takes. */
const of = async (t, answer) => {
  const served = await Served.start(answer);
  t.after(() => served.stop());
  let tokens = 0;
  const client = crmSync({ baseUrl: served.base, token: async () => `token-${(tokens += 1)}` });
  return { served, client };
};

const post = (client, key) =>
  client.POST(ACTIVITIES, {
    params: { path, header: { "Idempotency-Key": key } },
    body: NOTE,
  });

test("a call is typed, has the caller's token, and gives the answer", async (t) => {
  const badge = { entity_id: "pr_1", state: "not_in_crm", record: null, outdated: [], missing: [] };
  const answer = { directory_version: null, badges: [badge] };
  const { served, client } = await of(t, () => ({ body: answer }));
  const { data } = await client.POST(BADGES, {
    params: { path }, body: { entity_kind: "person", entity_ids: ["pr_1"] },
  });
  assert.deepEqual(data, answer);
  const [asked] = served.asked;
  assert.equal(asked.url, "/v1/tenants/ten_1/connections/production/seats/seat_1/badges");
  assert.equal(asked.headers.authorization, "Bearer token-1");
  assert.deepEqual(asked.body, { entity_kind: "person", entity_ids: ["pr_1"] });
});

test("a problem is an error that tells what to do", async (t) => {
  const login = { type: "crm_login_required", title: "The seller must log in", status: 409,
    login_url: "https://crm.example/login" };
  const { client } = await of(t, () => ({ status: 409, body: login }));
  await assert.rejects(post(client, newKey()), (error) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.problem.type, "crm_login_required");
    assert.equal(error.problem.login_url, "https://crm.example/login");
    return true;
  });
});

test("what stands before the product and answers otherwise is an error, too", async (t) => {
  const { client } = await of(t, () => ({ status: 502, body: "<html>Bad gateway</html>" }));
  await assert.rejects(post(client, newKey()), (error) => {
    assert.equal(error.problem.type, "unknown");
    assert.equal(error.problem.status, 502);
    return true;
  });
});

test("a post under a key is made again with that key after the time that is named", async (t) => {
  let left = 2;
  const { served, client } = await of(t, () => {
    left -= 1;
    return left >= 0
      ? { status: 429, headers: { "retry-after": "0" }, body: BUSY }
      : { status: 202, body: { activity_id: "act_1", state: "queued" } };
  });
  const { data } = await post(client, "key-1");
  assert.equal(data.activity_id, "act_1");
  assert.deepEqual(served.asked.map((a) => a.headers["idempotency-key"]), Array(3).fill("key-1"));
  assert.deepEqual(served.asked.map((a) => a.body.body), Array(3).fill("Met"));
});

test("what could be done twice is not made again, nor what would wait for minutes", async (t) => {
  const { served, client } = await of(t, ({ url }) => ({
    status: 429, headers: { "retry-after": url.includes("runs") ? "0" : "600" }, body: BUSY,
  }));
  const runs = "/v1/tenants/{tenant}/connections/{environment}/runs";
  const { tenant, environment } = path;
  await assert.rejects(client.POST(runs, { params: { path: { tenant, environment } }, body: {} }));
  assert.equal(served.asked.length, 1, "a run has no key");
  await assert.rejects(post(client, "key-1"), (error) => error.retryAfter === 600);
  assert.equal(served.asked.length, 2, "ten minutes are the caller's to wait");
});

test("a busy product is asked so often and no more", async (t) => {
  const busy = { status: 503, headers: { "retry-after": "0" }, body: { ...BUSY, status: 503 } };
  const { served, client } = await of(t, () => busy);
  await assert.rejects(post(client, "key-1"));
  assert.equal(served.asked.length, 3);
});

test("all of a list is read page by page", async () => {
  const pages = { start: { items: [1, 2], next: "b" }, b: { items: [], next: "c" },
    c: { items: [3], next: null } };
  const asked = [];
  const found = [];
  for await (const item of all(async (cursor) => {
    asked.push(cursor);
    return pages[cursor ?? "start"];
  })) found.push(item);
  assert.deepEqual(found, [1, 2, 3]);
  assert.deepEqual(asked, [undefined, "b", "c"]);
});
