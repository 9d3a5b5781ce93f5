// A company's login page: an OpenID Connect issuer with one person, who logs in by a button.

import { createHash, createSign, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

const base64 = (value) => Buffer.from(value).toString("base64url");

export class Issuer {
  #codes = new Map();

  /** Serves an issuer that knows the console as `clientId`; `person` gives the claims of who logs in. */
  static async start(clientId, person) {
    const issuer = new Issuer();
    Object.assign(issuer, { clientId, person });
    const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
    issuer.sign = (text) => createSign("RSA-SHA256").update(text).sign(keys.privateKey, "base64url");
    issuer.jwk = { ...keys.publicKey.export({ format: "jwk" }), kid: "walk", alg: "RS256", use: "sig" };
    issuer.server = createServer((request, answer) => issuer.#answer(request, answer));
    await new Promise((listens) => issuer.server.listen(0, "127.0.0.1", listens));
    issuer.address = `http://127.0.0.1:${issuer.server.address().port}`;
    return issuer;
  }

  async #answer(request, answer) {
    const url = new URL(request.url, this.address);
    const json = (status, value) => {
      answer.writeHead(status, { "content-type": "application/json" });
      answer.end(JSON.stringify(value));
    };
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return json(200, {
          issuer: this.address,
          authorization_endpoint: `${this.address}/authorize`,
          token_endpoint: `${this.address}/token`,
          jwks_uri: `${this.address}/keys`,
        });
      case "/keys":
        return json(200, { keys: [this.jwk] });
      case "/authorize":
        return this.#ask(url.searchParams, answer);
      case "/token":
        return json(...this.#exchange(new URLSearchParams(await bodyOf(request))));
      default:
        return json(404, {});
    }
  }

  /** The login page: its one link goes back to the console with a code. */
  #ask(asked, answer) {
    const code = base64(createHash("sha256").update(asked.toString()).digest());
    this.#codes.set(code, { challenge: asked.get("code_challenge"), nonce: asked.get("nonce") });
    const back = new URL(asked.get("redirect_uri"));
    back.search = new URLSearchParams({ code, state: asked.get("state"), iss: this.address });
    answer.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    const href = back.href.replaceAll("&", "&amp;");
    answer.end(`<!doctype html><html lang="en"><title>Acme login</title><a href="${href}">I am Grace</a>`);
  }

  /** An ID token for a code, once and for whoever asked for it. */
  #exchange(form) {
    const asked = this.#codes.get(form.get("code"));
    this.#codes.delete(form.get("code"));
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    if (asked?.challenge !== challenge || form.get("client_id") !== this.clientId) {
      return [400, { error: "invalid_grant" }];
    }
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.address, aud: this.clientId, iat: now, exp: now + 300, nonce: asked.nonce,
      ...this.person(),
    };
    const head = base64(JSON.stringify({ alg: "RS256", kid: "walk" }));
    const body = `${head}.${base64(JSON.stringify(claims))}`;
    const token = `${body}.${this.sign(body)}`;
    return [200, { access_token: "none", token_type: "Bearer", id_token: token }];
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((closed) => this.server.close(closed));
  }
}

const bodyOf = async (request) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
};
