/** A dependency that answers HTTP, over real HTTP, and those that can't be asked. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { CheckResult } from "../check.ts";
import { createHttpCheck, type HttpCheckOptions } from "./http-check.ts";

async function withServer(answer: RequestListener, use: (url: string) => Promise<void>) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    // The address of a server that listens on TCP is an AddressInfo.
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

async function run(options: HttpCheckOptions, signal = new AbortController().signal) {
  const { status, state, message } = (await createHttpCheck(options)({
    signal,
    name: "it",
  })) as CheckResult;
  return `${status}/${state}: ${message?.replace(/127\.0\.0\.1:\d+/, "HOST")}`;
}

for (const [what, status, expectedStatus, expected] of [
  ["200", 200, undefined, "healthy/ready: GET http://HOST/health answered 200."],
  ["204", 204, undefined, "healthy/ready: GET http://HOST/health answered 204."],
  ["a status that is expected", 404, 404, "healthy/ready: GET http://HOST/health answered 404."],
  [
    "one of those that are expected",
    401,
    [200, 401],
    "healthy/ready: GET http://HOST/health answered 401.",
  ],
  [
    "another than expected",
    200,
    [202, 204],
    "unhealthy/failed: GET http://HOST/health answered 200, not 202 or 204.",
  ],
  ["503", 503, undefined, "unhealthy/failed: GET http://HOST/health answered 503, not 2xx."],
  [
    "a redirect, which is not followed",
    302,
    undefined,
    "unhealthy/failed: GET http://HOST/health answered 302, not 2xx.",
  ],
  [
    "a refusal",
    403,
    undefined,
    "unknown/denied: GET http://HOST/health answered 403, so how it is was not found out. Check a path that needs no sign-in, or expect this status.",
  ],
] as const) {
  test(what, () =>
    withServer(
      (_, response) => response.writeHead(status, { location: "http://127.0.0.1:9/" }).end(),
      async (url) => {
        assert.equal(await run({ url: `${url}/health?key=s3cret`, expectedStatus }), expected);
      },
    ),
  );
}

test("no answer in time", () =>
  withServer(
    () => {},
    async (url) => {
      assert.match(
        await run({ url, timeoutSeconds: 0.1 }),
        /^unhealthy\/unreachable: .* brought no answer in 0\.1 s\./,
      );
    },
  ));

test("an answer without end is not read", () =>
  withServer(
    (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("x".repeat(1000)), 1);
      response.on("close", () => clearInterval(timer));
    },
    async (url) => {
      assert.match(await run({ url, timeoutSeconds: 5 }), /^healthy\/ready/);
    },
  ));

test("nobody there", async () => {
  let gone = "";
  await withServer(
    () => {},
    async (url) => {
      gone = url;
    },
  );
  assert.equal(
    await run({ url: `${gone}/?key=s3cret` }),
    "unhealthy/unreachable: GET http://HOST/ brought no answer (ECONNREFUSED). Check that it runs, and that it can be reached from here.",
  );
});

test("it stops when its signal says so", () =>
  withServer(
    () => {},
    async (url) => {
      assert.match(await run({ url }, AbortSignal.timeout(50)), /^unhealthy\/unreachable/);
    },
  ));

test("a fetch of one's own, for what the service asks for", async () => {
  const seen: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    seen.push(`${url} ${init.redirect}`);
    return new Response("fine");
  };
  assert.match(await run({ url: "https://api.example.com/live", fetch }), /^healthy/);
  assert.deepEqual(seen, ["https://api.example.com/live manual"]);
});

for (const [what, options, says] of [
  ["what is no URL", { url: "localhost" }, /not one of http or https/],
  ["another protocol", { url: "file:///etc/passwd" }, /not one of http or https/],
  [
    "a password in the URL",
    { url: "https://ada:s3cret@example.com/" },
    /of example\.com holds a name or password/,
  ],
  [
    "what would wake an endpoint and cost money",
    { url: "https://dbc.cloud.databricks.com/serving-endpoints/support/invocations?x=1" },
    /would call a serving endpoint/,
  ],
  ["no time", { url: "https://example.com", timeoutSeconds: 0 }, /timeoutSeconds can't be 0/],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(
      () => createHttpCheck(options),
      (error: Error) => says.test(error.message) && !error.message.includes("s3cret"),
    );
  });
}
