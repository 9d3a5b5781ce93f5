// Pages as the console makes them of the worst texts that an org can hold, which a test of the
// console's wrote into a folder: served here as the console would, so that a browser lays them out.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

/** Serves the pages of `folder`; none when nobody wrote any. */
export const hostilePages = async (folder) => {
  if (!existsSync(folder)) return null;
  const names = readdirSync(folder).filter((name) => name.endsWith(".html")).sort();
  const policy = readFileSync(join(folder, "policy"), "utf8");
  const server = createServer((request, answer) => {
    const path = decodeURIComponent(new URL(request.url, "http://here").pathname);
    const name = path.startsWith("/console/assets/") ? path.slice("/console/assets/".length) : path.slice(1);
    const file = join(folder, name.replaceAll("/", ""));
    if (!existsSync(file)) return answer.writeHead(404).end();
    const kinds = { html: "text/html; charset=utf-8", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };
    answer.writeHead(200, {
      "content-type": kinds[name.split(".").at(-1)], "content-security-policy": policy,
      "x-content-type-options": "nosniff",
    });
    return answer.end(readFileSync(file));
  });
  await new Promise((listens) => server.listen(0, "127.0.0.1", listens));
  const base = `http://127.0.0.1:${server.address().port}`;
  return { base, pages: names.map((name) => `${base}/${name}`), stop: () => server.close() };
};
