// What a walk needs: the simulator with a small org, `crm-sync serve` over it, one tenant whose
// console it is, and a directory. Everything is in one folder, on loopback, and ends with the walk.

import { execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { Issuer } from "./issuer.mjs";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Nothing that a walk waits for takes longer, in milliseconds, on a busy machine too. */
export const PATIENCE = 120_000;

/** Waits until `look` answers something true, and gives it. */
export const until = async (what, look, patience = PATIENCE) => {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${patience / 1000} s for ${what}`);
    await pause(150);
  }
};

const freePort = () =>
  new Promise((found, failed) => {
    const server = createServer();
    server.on("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });

export class Home {
  #children = [];

  /** Starts everything in `folder`, which is emptied, from the programs in `binaries`. */
  static async start(binaries, folder) {
    const home = new Home();
    home.binaries = binaries;
    home.folder = folder;
    try {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      home.makeOrg();
      await home.startSimulator();
      // Grace is an admin of the tenant, which is made later.
      const grace = () => ({ sub: "grace", roles: ["admin"], tenant: home.tenant });
      home.issuer = await Issuer.start("walk", grace);
      await home.startServer();
      await home.makeTenant();
    } catch (error) {
      await home.stop();
      throw error;
    }
    return home;
  }

  file(name) {
    return join(this.folder, name);
  }

  program(name) {
    const path = join(this.binaries, name);
    if (!existsSync(path)) throw new Error(`${path} is missing: make build-local builds it`);
    return path;
  }

  makeOrg() {
    const args = ["--small", "--base", join(ROOT, "data/dev"), "--out", this.file("org")];
    execFileSync(this.program("org-generator"), args);
    // A custom field, for a mapping: a column of an export would do the same.
    const description = JSON.parse(readFileSync(this.file("org/org.json"), "utf8"));
    description.custom_fields = ["Lead.Direct_Line__c string(40)"];
    writeFileSync(this.file("org/org.json"), JSON.stringify(description));
    this.profile = description.profiles[0];
    const expected = JSON.parse(readFileSync(this.file("org/expectations.json"), "utf8"));
    this.importer = expected.integration_user;
  }

  /** A child of ours, whose output goes to a file. */
  begin(name, args, environment = {}) {
    const log = openSync(this.file(`${name}.log`), "w");
    const env = { ...process.env, ...environment };
    const child = spawn(this.program(name), args, { env, stdio: ["ignore", log, log] });
    closeSync(log);
    child.ended = new Promise((ended) => child.on("exit", ended));
    child.alive = () => child.exitCode === null && child.signalCode === null;
    child.check = () => {
      if (!child.alive()) throw new Error(`${name} has ended: ${this.file(name)}.log says why`);
    };
    // However the walk ends, nothing that it started is left.
    process.once("exit", () => child.kill("SIGKILL"));
    this.#children.push(child);
    return child;
  }

  async startSimulator() {
    const [ready, authority] = [this.file("simulator.json"), this.file("simulator-ca.pem")];
    const child = this.begin("salesforce-simulator", [
      "--org", this.file("org"), "--ca-out", authority, "--ready-file", ready,
    ]);
    this.simulator = await until("the simulator", () => {
      child.check();
      try {
        return JSON.parse(readFileSync(ready, "utf8"));
      } catch {
        return null; // not there yet, or not whole
      }
    });
    this.authority = authority;
    this.org = (await this.control("GET", "/orgs"))[0].my_domain;
    const user = await this.control("GET", `/orgs/${this.org}/records/User/${this.importer}`);
    this.username = user.Username;
  }

  async startServer() {
    const port = await freePort();
    this.base = `http://127.0.0.1:${port}`;
    const secret = this.file("client-secret");
    writeFileSync(secret, "crm-sync-local-secret", { mode: 0o600 });
    this.config = this.file("crm-sync.toml");
    const text = JSON.stringify;
    writeFileSync(this.config, `
[server]
listen = "127.0.0.1:${port}"
public_base = ${text(this.base)}
[data]
dir = ${text(this.file("data"))}
[salesforce]
client_id = "crm-sync-local"
client_secret = { file = ${text(secret)} }
ca_file = ${text(this.authority)}
browser_base = ${text(this.simulator.http_url)}
[callers]
builtin = true
[console]
issuer = ${text(this.issuer.address)}
client_id = ${text(this.issuer.clientId)}
[purge]
grace = "3s"
`);
    const child = this.begin("crm-sync", ["serve", "--config", this.config], {
      HTTPS_PROXY: this.simulator.proxy_url, NO_PROXY: "127.0.0.1,localhost",
    });
    await until("crm-sync serve", async () => {
      child.check();
      const answer = await fetch(`${this.base}/health/ready`).catch(() => null);
      return answer?.ok;
    });
    this.token = this.ask("token", "--role", "service", "--valid", "1h");
  }

  /** A command of crm-sync's beside the process, and what it prints. */
  ask(command, ...args) {
    const all = [command, "--config", this.config, ...args];
    return execFileSync(this.program("crm-sync"), all, { encoding: "utf8" }).trim();
  }

  async makeTenant() {
    this.tenant = (await this.api("POST", "/v1/tenants", { name: "Acme" })).tenant_id;
    for (const seat of JSON.parse(readFileSync(this.file("org/seats.json"), "utf8")).slice(0, 3)) {
      await this.api("POST", `/v1/tenants/${this.tenant}/seats`, seat);
    }
  }

  /** Publishes the org's directory: from then on its records can be matched. */
  async publishDirectory() {
    const versions = "/v1/directory/versions";
    const parts = [{ kind: "people" }, { kind: "companies" }];
    const { version, uploads } = await this.api("POST", versions, { parts });
    for (const [n, { kind }] of parts.entries()) {
      const body = gzipSync(readFileSync(this.file(`org/${kind}.jsonl`)));
      const answer = await fetch(uploads[n].url, { method: "PUT", body });
      if (!answer.ok) throw new Error(`the upload of ${kind}: ${answer.status}`);
    }
    await this.api("POST", `${versions}/${version}/publish`, {});
    await until("the directory", async () => {
      const { state } = await this.api("GET", `${versions}/${version}`);
      if (state === "failed") throw new Error("the directory failed");
      return state === "published";
    });
  }

  /** A link to the console, for somebody. */
  link(subject, ...more) {
    return this.ask("console", "--tenant", this.tenant, "--subject", subject, ...more);
  }

  /** A link to the pages for who runs the product. */
  linkOfOperator(subject) {
    return this.ask("console", "--role", "service", "--subject", subject);
  }

  /** The product's API, as its own service. */
  api(method, path, body) {
    return call(this.base, method, path, body, { authorization: `Bearer ${this.token}` });
  }

  /** What is below the production connection. */
  connection(path) {
    return this.api("GET", `/v1/tenants/${this.tenant}/connections/production${path}`);
  }

  /** The simulator's own controls. */
  control(method, path, body) {
    return call(this.simulator.control_url, method, path, body, {});
  }

  /** Hides fields from the user who imports, or shows them all again. */
  hide(...fields) {
    const hidden = fields.map((field) => [field, { read: false, edit: false }]);
    const profile = { ...this.profile, fields: Object.fromEntries(hidden) };
    return this.control("PUT", `/orgs/${this.org}/profiles`, profile);
  }

  /** Ends what was started, the server first. */
  async stop() {
    for (const child of this.#children.reverse()) {
      if (child.alive()) child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
      if (child.pid) await child.ended;
      clearTimeout(late);
    }
    this.#children = [];
    await this.issuer?.stop();
  }
}

const call = async (base, method, path, body, headers) => {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  if (sent) headers["content-type"] = "application/json";
  const answer = await fetch(base + path, { method, headers, body: sent });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
};
