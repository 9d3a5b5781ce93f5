// What an unmodified jsforce can do with the simulator. Prints one line of JSON per capability.
import crypto from "node:crypto";

const { HTTP_URL, CONTROL_URL, CLIENT_ID, CLIENT_SECRET, LOGIN, JSFORCE } = process.env;
const { default: jsforce } = await import(JSFORCE);
const client = JSFORCE === "jsforce" ? "jsforce 3.10" : "jsforce 3.6";
const redirectUri = "http://127.0.0.1:9/callback";
let failed = false;

async function capability(name, check) {
  let detail;
  let ok = true;
  try {
    detail = String(await check());
  } catch (error) {
    ok = false;
    failed = true;
    detail = error.stack ?? String(error);
  }
  console.log(JSON.stringify({ client, capability: name, ok, detail }));
}

function assert(condition, text) {
  if (!condition) throw new Error(text ?? "assertion failed");
}

const oauth2 = new jsforce.OAuth2({
  loginUrl: HTTP_URL, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, redirectUri, useVerifier: true,
});
const conn = new jsforce.Connection({ oauth2, version: "62.0" });

await capability("login", async () => {
  const authorize_url = oauth2.getAuthorizationUrl({ scope: "api refresh_token id", state: "s" });
  const answer = await fetch(`${CONTROL_URL}/authorize`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ authorize_url, username: LOGIN }),
  });
  const { redirect_to } = await answer.json();
  const code = new URL(redirect_to).searchParams.get("code");
  const user = await conn.authorize(code);
  assert(user.id && user.organizationId);
  return user.id;
});
await capability("identity", async () => (await conn.identity()).username);
await capability("refresh", async () => {
  const old = conn.accessToken;
  conn.accessToken = "00D000000000000!bad";
  await conn.query("SELECT Id FROM Account LIMIT 1");
  assert(conn.accessToken !== old);
  return "a bad session was refreshed";
});
await capability("describe", async () => {
  const account = await conn.describe("Account");
  assert(account.fields.some((field) => field.name === "Website"));
  return `${account.fields.length} fields, ${(await conn.describeGlobal()).sobjects.length} objects`;
});
await capability("query, paged", async () => {
  const records = await conn.query("SELECT Id, Name FROM Account").run({ autoFetch: true, maxFetch: 10000 });
  const rows = Array.isArray(records) ? records : records.records;
  assert(rows.length === 2500, `${rows.length} rows`);
  return `${rows.length} rows`;
});
await capability("query builder", async () => {
  const rows = await conn.sobject("Account").find({ Name: { $like: "Account 1%" } }, "Id, Name").sort({ Name: -1 }).limit(5);
  assert(rows.length === 5);
  return rows[0].Name;
});
await capability("create, update", async () => {
  const made = await conn.sobject("Task").create({ Subject: "Call" });
  assert(made.success);
  await conn.sobject("Task").update({ Id: made.id, Status: "Completed" });
  assert((await conn.sobject("Task").retrieve(made.id)).IsClosed === true);
  assert((await conn.sobject("Task").destroy(made.id)).success);
  return made.id;
});
await capability("collections", async () => {
  const made = await conn.sobject("Lead").create([{ LastName: "A", Company: "B" }, { LastName: "no company" }]);
  assert(made[0].success && !made[1].success);
  assert(made[1].errors[0].statusCode === "REQUIRED_FIELD_MISSING");
  return made[1].errors[0].message;
});
await capability("bulk query", async () => {
  // One page: with more, jsforce 3.10 writes to its own stream after ending it (its issues 1546 and 1693).
  const stream = await conn.bulk2.query("SELECT Id, Name FROM Account LIMIT 100");
  const rows = await stream.toArray();
  assert(rows.length === 100, `${rows.length} rows`);
  return `${rows.length} rows in one page: with more it ends its own stream too early (its issues 1546, 1693)`;
});
await capability("bulk write", async () => {
  const result = await conn.bulk2.loadAndWaitForResults({
    object: "Lead", operation: "insert", input: [{ LastName: "A", Company: "B" }, { LastName: "C", Company: "" }],
  });
  assert(result.successfulResults.length === 1 && result.failedResults.length === 1);
  return result.failedResults[0].sf__Error;
});
await capability("limits", async () => {
  assert((await conn.limits()).DailyApiRequests.Remaining > 0);
  return JSON.stringify(conn.limitInfo);
});
await capability("errors", async () => {
  try {
    await conn.query("SELECT Foo FROM Account");
  } catch (error) {
    assert(error.errorCode === "INVALID_FIELD", error.errorCode);
    return error.errorCode;
  }
  throw new Error("no error");
});
await capability("logout", async () => {
  await conn.logout();
  return "revoked";
});
process.exit(failed ? 1 : 0);
