// Postman takes the description: every operation is a request, and the token a variable.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { promisify } from "node:util";

import postman from "openapi-to-postmanv2";

// The description is written by one program: a method stands alone in its line, below its path.
const OPERATION = /^    (get|put|post|patch|delete):$/gm;

function requests(items) {
  return items.flatMap((item) => (item.item ? requests(item.item) : [item.request]));
}

test("Postman imports every operation", async () => {
  const data = await readFile(new URL("../../../docs/openapi.yaml", import.meta.url), "utf8");
  const operations = data.match(OPERATION);
  const convert = promisify(postman.convert);
  const taken = await convert({ type: "string", data }, { folderStrategy: "Tags" });
  assert.ok(taken.result, taken.reason);
  const { data: collection } = taken.output[0];
  const found = requests(collection.item);
  assert.equal(found.length, operations.length);
  assert.equal(collection.auth.type, "bearer");
  for (const request of found) {
    assert.ok(request.url.path.length > 0, request.name);
  }
});
