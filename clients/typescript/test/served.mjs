// A server on loopback that answers as a test says, and remembers what it was asked.

import { createServer } from "node:http";

export class Served {
  asked = [];

  /** `answer` gets `{method, url, headers, body}` and gives `{status, headers, body}`. */
  static async start(answer) {
    const served = new Served();
    served.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const { method, url, headers } = request;
      const asked = { method, url, headers, body: text ? JSON.parse(text) : undefined };
      served.asked.push(asked);
      const { status = 200, headers: own = {}, body = {} } = await answer(asked);
      const isText = typeof body === "string";
      response.writeHead(status, { "content-type": "application/json", ...own });
      response.end(isText ? body : JSON.stringify(body));
    });
    await new Promise((listens) => served.server.listen(0, "127.0.0.1", listens));
    served.base = `http://127.0.0.1:${served.server.address().port}`;
    return served;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((ended) => this.server.close(ended));
  }
}
