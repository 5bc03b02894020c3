/**
 * The client against a real server that answers as Databricks, gateways and bad
 * networks do. Waits are jumped over; deadlines pass when a test says so.
 */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { apiPath } from "./api-path.ts";
import { createDatabricksClient, type DatabricksClient } from "./client.ts";
import type { SignIn } from "./credentials.ts";
import { DatabricksError } from "./databricks-error.ts";
import { Secret } from "./secret.ts";
import { getServingEndpoint } from "./serving-endpoints.ts";
import {
  answer,
  cut,
  failure,
  ok,
  reset,
  type Seen,
  type Setting,
  TIMEOUT_MS,
  TOKEN,
  token,
  withServer,
} from "./test-answering-server.ts";
import { createTestClock } from "./test-clock.ts";
import { ANSWER_MAX_BYTES } from "./transport.ts";

const path = apiPath`/api/2.0/serving-endpoints`;
const purpose = "list the serving endpoints";
const list = (client: DatabricksClient) => client.getJson(path, { purpose });

async function fails(answers: readonly RequestListener[], expected: string, calls = 1) {
  await withServer(answers, async (setting) => {
    assert.equal(await failure(list(setting.client), setting), expected);
    assert.equal(setting.seen.length, calls);
  });
}

const route =
  "Check the network between here and the workspace: firewall, VPN or private link. Behind a proxy, set HTTPS_PROXY and NODE_USE_ENV_PROXY=1.";

test("sends the token and nothing that was not asked for", () =>
  withServer([ok], async ({ client, seen }) => {
    const { json } = await client.getJson(path, { purpose, query: { name: "a b&c" } });
    assert.deepEqual(json, { endpoints: [] });
    const url = "/api/2.0/serving-endpoints?name=a+b%26c";
    assert.deepEqual(seen, [{ method: "GET", url, authorization: `Bearer ${TOKEN}`, body: "" }]);
  }));

test("posts JSON", () =>
  withServer([ok], async ({ client, seen }) => {
    await client.postJson(path, { name: "é" }, { purpose: "make it" });
    assert.equal(`${seen[0]?.method} ${seen[0]?.body}`, 'POST {"name":"é"}');
  }));

test("a name can never reach another part of the API", () => {
  const name = "a/../../secrets?x#y";
  assert.equal(apiPath`/e/${name}/metrics`, "/e/a%2F..%2F..%2Fsecrets%3Fx%23y/metrics");
  for (const bad of ["", ".", "..", "\ud800"])
    assert.throws(() => apiPath`/e/${bad}`, /not a name/);
});

test("waits as long as a 429 asks, then goes on", () =>
  withServer([answer(429, {}, { "retry-after": "7" }), ok], async ({ client, clock }) => {
    await list(client);
    assert.deepEqual(clock.skippedMs, [7500]);
  }));

test("waits at random and longer each time where no time is given", () =>
  withServer([answer(503, {}), reset, answer(504, {}), ok], async ({ client, clock }) => {
    await list(client);
    assert.deepEqual(clock.skippedMs, [500, 1000, 2000]);
  }));

test("a Retry-After of a day counts as five minutes", () =>
  withServer([answer(503, {}, { "retry-after": "86400" }), ok], async ({ client, clock }) => {
    await list(client);
    assert.deepEqual(clock.skippedMs, [300_500]);
  }));

test("does not wait for what comes after the last deadline", () =>
  withServer(
    [
      answer(
        429,
        { error_code: "REQUEST_LIMIT_EXCEEDED", message: "Too many" },
        { "retry-after": "60" },
      ),
    ],
    async (setting) => {
      assert.equal(
        await failure(list(setting.client), setting),
        `DATABRICKS_FAILED: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc answered 429 REQUEST_LIMIT_EXCEEDED: Too many
  Hint: The workspace limits its callers: ask less often, or later.`,
      );
      assert.equal(setting.seen.length, 1);
    },
    { totalTimeoutMs: 30_000, skipsUpToMs: 20_000 },
  ));

for (const [what, broken] of [
  ["a reset connection", reset],
  ["an answer that is cut short", cut],
  ["a 503", answer(503, {})],
] as const) {
  test(`${what} is survived when reading`, () =>
    withServer([broken, ok], async ({ client, seen }) => {
      await list(client);
      assert.equal(seen.length, 2);
    }));
  test(`after ${what}, a change is not repeated unless that is harmless`, () =>
    withServer([broken, ok], async ({ client, seen }) => {
      await assert.rejects(client.postJson(path, {}, { purpose }), DatabricksError);
      assert.equal(seen.length, 1);
      await client.postJson(path, {}, { purpose, isIdempotent: true });
    }));
}

test("a connection that breaks every time", () =>
  fails(
    [reset],
    `DATABRICKS_UNREACHABLE: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc lost the connection before the answer was whole (ECONNRESET), at the last of 4 attempts
  Hint: ${route}`,
    4,
  ));

test("an answer that is cut short every time", () =>
  fails(
    [cut],
    `DATABRICKS_UNREACHABLE: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc lost the connection before the answer was whole (UND_ERR_SOCKET), at the last of 4 attempts
  Hint: ${route}`,
    4,
  ));

for (const [what, startAnswer] of [
  ["no answer at all", () => {}],
  ["an answer that stops in the middle", (response) => response.writeHead(200).write("{")],
] as readonly (readonly [string, (response: Parameters<RequestListener>[1]) => void])[]) {
  test(`${what} ends with the deadline`, async () => {
    let advance = async () => {};
    const hang: RequestListener = (_request, response) => {
      startAnswer(response);
      void advance();
    };
    await withServer(
      [hang],
      async (setting) => {
        advance = () => setting.clock.advance(TIMEOUT_MS);
        assert.equal(
          await failure(list(setting.client), setting),
          `DATABRICKS_UNREACHABLE: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc gave no whole answer within 1000 s
  Hint: ${route}`,
        );
      },
      { totalTimeoutMs: TIMEOUT_MS },
    );
  });
}

test("an answer that does not come in time is asked for again", async () => {
  let advance = async () => {};
  const hang: RequestListener = () => void advance();
  await withServer(
    [hang, ok],
    async ({ client, clock, seen }) => {
      advance = () => clock.advance(TIMEOUT_MS);
      await list(client);
      assert.equal(seen.length, 2);
    },
    { totalTimeoutMs: 4 * TIMEOUT_MS },
  );
});

test("a caller can stop a call", () =>
  withServer([() => controller.abort(new Error("stopped"))], async ({ client }) => {
    await assert.rejects(
      client.getJson(path, { purpose, signal: controller.signal }),
      /^Error: stopped$/,
    );
  }));
const controller = new AbortController();

test("a redirect is not followed, and its address is not repeated", async () => {
  const elsewhere = createServer(() => assert.fail("the redirect was followed"));
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  const { port } = elsewhere.address() as AddressInfo;
  const location = `http://127.0.0.1:${port}/login?next=canary`;
  for (const status of [301, 302, 307, 308]) {
    await fails(
      [answer(status, "", { location })],
      `DATABRICKS_FAILED: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc answered ${status}, a redirect to http://127.0.0.1:${port}, which is not followed so that the token stays here
  Hint: Check that the host is the address of the workspace itself, without a sign-in page or gateway in front of it.`,
    );
  }
  elsewhere.close();
});

test("an answer without end is given up at the limit", () => {
  let sentBytes = 0;
  const endless: RequestListener = (_request, response) => {
    const chunk = Buffer.alloc(1024 * 1024, " ");
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sentBytes += chunk.length;
      sentBytes += chunk.length;
    };
    response.on("drain", more);
    more();
  };
  return fails(
    [endless],
    `DATABRICKS_FAILED: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc answered with more than 32 MiB, the most that is read
  Hint: Ask for less at once, or check that the host is a Databricks workspace.`,
  ).then(() => assert.ok(sentBytes < 2 * ANSWER_MAX_BYTES));
});

test("a sign-in page is not taken for an answer", () =>
  fails(
    [answer(200, `<!DOCTYPE html><title>Sign in, ${TOKEN}</title>`)],
    `DATABRICKS_FAILED: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc answered 200, but it is HTML of 61 characters, not JSON
  Hint: Check that the host is a Databricks workspace, without a sign-in page or gateway in front of it.`,
  ));

test("JSON that breaks off is not quoted", () =>
  fails(
    [answer(200, `{"token": "${TOKEN}`)],
    `DATABRICKS_FAILED: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc answered 200, but it is text of 33 characters, not JSON
  Hint: Check that the host is a Databricks workspace, without a sign-in page or gateway in front of it.`,
  ));

test("JSON of another shape is an error, too", () =>
  withServer([answer(200, [1])], async (setting) => {
    assert.equal(
      await failure(getServingEndpoint(setting.client, "a"), setting),
      `DATABRICKS_FAILED: cannot read serving endpoint "a": GET /api/2.0/serving-endpoints/a on https://dbc answered 200, but it is not a serving endpoint
  Hint: Check that the host is a Databricks workspace, without a sign-in page or gateway in front of it.`,
    );
  }));

test("a token that is refused", () =>
  fails(
    [answer(401, { error_code: "UNAUTHENTICATED", message: `Invalid access token: ${TOKEN}` })],
    `DATABRICKS_UNAUTHENTICATED: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc answered 401 UNAUTHENTICATED: Invalid access token: [REDACTED]
  Hint: Check that the credentials from environment belong to this workspace and have not expired.`,
  ));

test("a permission that is missing is named", () =>
  withServer(
    [answer(403, { error_code: "PERMISSION_DENIED", message: "No\u001b[31m\nway" })],
    async (setting) => {
      assert.equal(
        await failure(getServingEndpoint(setting.client, "support"), setting),
        `DATABRICKS_FORBIDDEN: cannot read serving endpoint "support": GET /api/2.0/serving-endpoints/support on https://dbc answered 403 PERMISSION_DENIED: No [31m way
  Hint: Give the identity CAN VIEW on serving endpoint "support".`,
      );
    },
  ));

test("Databricks' code, details and request id are kept, without secrets", () =>
  withServer(
    [
      answer(
        404,
        {
          error_code: "RESOURCE_DOES_NOT_EXIST",
          message: "No endpoint",
          details: [
            { "@type": "type.googleapis.com/google.rpc.RequestInfo", request_id: "r-1" },
            { "@type": "x", echoed: `Bearer ${TOKEN}` },
          ],
        },
        { "x-request-id": "r-2" },
      ),
    ],
    async (setting) => {
      assert.equal(
        await failure(list(setting.client), setting),
        `DATABRICKS_FAILED: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc answered 404 RESOURCE_DOES_NOT_EXIST: No endpoint (request r-1)
  Hint: Check the name, and that it exists in this workspace.`,
      );
      await assert.rejects(list(setting.client), (error: DatabricksError) => {
        assert.deepEqual(error.call, {
          method: "GET",
          path: "/api/2.0/serving-endpoints",
          host: setting.host,
          status: 404,
          errorCode: "RESOURCE_DOES_NOT_EXIST",
          details: [
            { "@type": "type.googleapis.com/google.rpc.RequestInfo", request_id: "r-1" },
            { "@type": "x", echoed: "Bearer [REDACTED]" },
          ],
          requestId: "r-1",
          retryAfterMs: null,
          networkCode: null,
        });
        return true;
      });
    },
  ));

test("a gateway's page is described, not shown", () =>
  fails(
    [answer(502, "<html>Bad gateway canary</html>")],
    `DATABRICKS_FAILED: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc answered 502 with HTML of 31 characters
  Hint: Try again later; if it stays, report the request id to Databricks.`,
  ));

for (const [code, what, hint] of [
  [
    "ECONNREFUSED",
    "was refused by the host (ECONNREFUSED)",
    `Check that https://dbc is the address of the workspace. ${route}`,
  ],
  [
    "ENOTFOUND",
    "found no such host (ENOTFOUND)",
    "Check the spelling of https://dbc, and that its name can be resolved here.",
  ],
  [
    "SELF_SIGNED_CERT_IN_CHAIN",
    "could not be sent: the TLS certificate of the host is not trusted (SELF_SIGNED_CERT_IN_CHAIN)",
    "Where a proxy replaces certificates, set NODE_EXTRA_CA_CERTS to the file of its authority. Nothing was sent.",
  ],
  [undefined, "got no answer (unknown network error)", route],
] as const) {
  test(`${code ?? "another network error"} is not tried again`, async () => {
    let calls = 0;
    const host = "https://dbc.cloud.databricks.com";
    const client = createDatabricksClient({
      credentials: { host, signIn: token, source: "environment" },
      fetch: async (_url, init) => {
        calls++;
        const cause = Object.assign(new Error("inner"), { code, request: init.headers });
        throw new TypeError("fetch failed", { cause: new AggregateError([cause]) });
      },
      clock: createTestClock(),
      random: () => 0.5,
    });
    assert.equal(
      await failure(list(client), { host } as Setting),
      `DATABRICKS_UNREACHABLE: cannot list the serving endpoints: GET /api/2.0/serving-endpoints on https://dbc ${what}\n  Hint: ${hint}`,
    );
    assert.equal(calls, 1);
  });
}

const principal: SignIn = {
  kind: "client-credentials",
  clientId: "app-1",
  clientSecret: new Secret("dose-canary"),
};

/** A workspace that gives tokens `canary-1`, `canary-2`, … and answers 401 to those in `refused`. */
function workspace(options: {
  lifeS?: number;
  refused?: string[];
  tokenHost?: string;
  broken?: boolean;
}) {
  const { lifeS = 3600, refused = [], tokenHost } = options;
  let given = 0;
  const answerAll: RequestListener = (request, response) => {
    const own = `http://${request.headers.host}`;
    if (request.url === "/oidc/.well-known/oauth-authorization-server") {
      return answer(200, { token_endpoint: `${tokenHost ?? own}/oidc/v1/token` })(
        request,
        response,
      );
    }
    if (request.url === "/oidc/v1/token") {
      if (options.broken) return answer(500, { error: "the sign-in is down" })(request, response);
      given++;
      const body = { access_token: `canary-${given}`, token_type: "Bearer", expires_in: lifeS };
      return answer(200, body)(request, response);
    }
    const held = request.headers.authorization?.replace("Bearer ", "") ?? "";
    if (!refused.includes(held)) return ok(request, response);
    return answer(401, { message: `token ${held} has expired` })(request, response);
  };
  return answerAll;
}

const apiTokens = (seen: readonly Seen[]) =>
  seen.filter(({ url }) => url.startsWith("/api")).map(({ authorization }) => authorization);
const tokenCalls = (seen: readonly Seen[]) => seen.filter(({ url }) => url === "/oidc/v1/token");

test("a service principal gets one token for callers that ask together", () =>
  withServer(
    [workspace({})],
    async ({ client, seen }) => {
      await Promise.all([list(client), list(client), list(client)]);
      await list(client);
      assert.deepEqual(apiTokens(seen), new Array(4).fill("Bearer canary-1"));
      const [call, ...more] = tokenCalls(seen);
      assert.equal(more.length, 0);
      assert.equal(call?.body, "grant_type=client_credentials&scope=all-apis");
      assert.equal(call?.authorization, `Basic ${btoa("app-1:dose-canary")}`);
    },
    { signIn: principal },
  ));

test("a token is replaced before it expires", () =>
  withServer(
    [workspace({})],
    async ({ client, clock, seen }) => {
      for (const passedMs of [0, 2879_000, 2000]) {
        await clock.advance(passedMs);
        await list(client);
      }
      assert.deepEqual(apiTokens(seen), ["Bearer canary-1", "Bearer canary-1", "Bearer canary-2"]);
    },
    { signIn: principal },
  ));

test("while no new token is to be had, the old one serves to its end", () => {
  const options = { broken: false };
  return withServer(
    [workspace(options)],
    async (setting) => {
      const { client, clock, seen } = setting;
      await list(client);
      options.broken = true;
      await clock.advance(3000_000);
      await list(client);
      await list(client);
      assert.equal(tokenCalls(seen).length, 2);
      await clock.advance(600_000);
      assert.match(
        await failure(list(client), setting),
        /^DATABRICKS_FAILED: cannot get a token for the service principal: POST \/oidc\/v1\/token on https:\/\/dbc answered 500: the sign-in is down/,
      );
    },
    { signIn: principal },
  );
});

test("a token refused early in its life is replaced once, and the call made again", () =>
  withServer(
    [workspace({ refused: ["canary-1"] })],
    async ({ client, clock, seen }) => {
      await assert.rejects(list(client), /answered 401/);
      assert.equal(tokenCalls(seen).length, 1);
      await clock.advance(61_000);
      await list(client);
      assert.deepEqual(apiTokens(seen).at(-1), "Bearer canary-2");
    },
    { signIn: principal },
  ));

test("the secret is not sent to a host that nobody configured", () =>
  withServer(
    [workspace({ tokenHost: "https://evil.example" })],
    async (setting) => {
      assert.equal(
        await failure(list(setting.client), setting),
        `DATABRICKS_FAILED: cannot find out where the service principal signs in: GET /oidc/.well-known/oauth-authorization-server on https://dbc answered 200, but it names no token_endpoint on this host
  Hint: Check that the host is a Databricks workspace, without a sign-in page or gateway in front of it.`,
      );
    },
    { signIn: principal },
  ));

test("a secret that is refused says what to check", () =>
  withServer(
    [
      (request, response) => {
        const token_endpoint = `http://${request.headers.host}/oidc/v1/token`;
        if (request.method === "GET") return answer(200, { token_endpoint })(request, response);
        const said = `${request.headers.authorization} is wrong`;
        return answer(401, { error: "invalid_client", error_description: said })(request, response);
      },
    ],
    async (setting) => {
      assert.equal(
        await failure(list(setting.client), setting),
        `DATABRICKS_UNAUTHENTICATED: cannot get a token for the service principal: POST /oidc/v1/token on https://dbc answered 401: Basic [REDACTED] is wrong
  Hint: Check that the credentials from environment belong to this workspace and have not expired.`,
      );
    },
    { signIn: principal },
  ));

test("a list in a query repeats its name, and text goes out as it is", () =>
  withServer([ok], async ({ client, seen }) => {
    const path = apiPath`/x`;
    await client.getJson(path, { purpose, query: { id: ["a b", "c&d"], other: "1" } });
    await client.getJson(path, { purpose, query: "sig=a%2Fb+c%20d" });
    assert.deepEqual(
      seen.map(({ url }) => url),
      ["/x?id=a+b&id=c%26d&other=1", "/x?sig=a%2Fb+c%20d"],
    );
  }));

test("where nobody signs in, nothing is sent for it, and a refusal is not repeated", () =>
  withServer(
    [answer(401, {})],
    async ({ client, seen }) => {
      await assert.rejects(list(client), DatabricksError);
      assert.deepEqual(
        seen.map(({ authorization }) => authorization),
        [undefined],
      );
    },
    { signIn: null },
  ));
