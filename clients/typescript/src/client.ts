// A typed client for the API. Paths, parameters, bodies and answers have the types of the served
// description; what is not in it does not compile.

import createClient, { type Client, type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";

/** What the product says when it does not do what was asked (RFC 9457). */
export type Problem = components["schemas"]["Problem"];

/** The product said no, or not now. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  /**
   * @param problem what the product said; `problem.type` is stable
   * @param retryAfter seconds after which the same call may succeed, where the product says so
   */
  constructor(
    readonly problem: Problem,
    readonly retryAfter?: number,
  ) {
    super(problem.detail ? `${problem.title}: ${problem.detail}` : problem.title);
  }
}

/** How the client is made. */
export interface Options {
  /** Where the API is, such as `https://crm-sync.example`. */
  baseUrl: string;
  /** A caller's token, asked for before each call: a function may renew it. */
  token: () => string | Promise<string>;
  /** How often a call is made again that the product is too busy for; 2 unless said. */
  retries?: number;
  /** Instead of the platform's own `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
}

/** The API. */
export type CrmSync = Client<paths>;

/** The longest time that a call waits before it is made again, in seconds. */
const LONGEST_WAIT = 30;

/**
 * A client. A call that fails throws a {@link ProblemError}, so that `data` of an answer is there.
 *
 * A call that the product is too busy for (429, 503) is made again after the time that it names, if
 * making it twice cannot do it twice: a read, a PUT or DELETE, or a POST or PATCH with an
 * `Idempotency-Key`.
 */
export const crmSync = ({ baseUrl, token, retries = 2, fetch: own }: Options): CrmSync => {
  const send = own ?? ((request: Request) => fetch(request));
  const client = createClient<paths>({ baseUrl, fetch: patient(send, retries) });
  client.use({
    async onRequest({ request }) {
      request.headers.set("authorization", `Bearer ${await token()}`);
      return request;
    },
    async onResponse({ response }) {
      if (!response.ok) throw await problemOf(response);
    },
  } satisfies Middleware);
  return client;
};

/** A new key for something that is to be done once: the header `Idempotency-Key`. */
export const newKey = (): string => crypto.randomUUID();

/** Everything of a list that comes in pages. `page` gets the cursor of the page before. */
export async function* all<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; next: string | null }>,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined;
  do {
    const { items, next } = await page(cursor);
    yield* items;
    cursor = next ?? undefined;
  } while (cursor !== undefined);
}

/** Makes a call again that the product is too busy for. */
const patient =
  (send: (request: Request) => Promise<Response>, retries: number) =>
  async (request: Request): Promise<Response> => {
    for (let left = retries; ; left -= 1) {
      const response = await send(request.clone());
      const isBusy = response.status === 429 || response.status === 503;
      const wait = secondsOf(response) ?? 1;
      if (!isBusy || left <= 0 || wait > LONGEST_WAIT || !mayRepeat(request)) return response;
      await response.body?.cancel();
      await new Promise((goOn) => setTimeout(goOn, wait * 1000));
    }
  };

const mayRepeat = ({ method, headers }: Request): boolean =>
  !["POST", "PATCH"].includes(method) || headers.has("idempotency-key");

const secondsOf = (response: Response): number | undefined => {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds : undefined;
};

/** What an answer says; what stands before the product may answer otherwise. */
const problemOf = async (response: Response): Promise<ProblemError> => {
  const { status, statusText: title } = response;
  const told: unknown = await response.json().catch(() => undefined);
  const isProblem = typeof told === "object" && told !== null && "type" in told && "title" in told;
  const problem = isProblem ? (told as Problem) : { type: "unknown", title, status };
  return new ProblemError(problem, secondsOf(response));
};
