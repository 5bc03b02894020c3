/**
 * The test that every channel passes: what is sent, what is tried again, what is
 * given up, and that nothing ever shows the channel's secret. It runs against a
 * real HTTP server on this machine.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { test } from "node:test";
import { inspect } from "node:util";
import type { Channel, SendResult } from "./channel.ts";
import type { Message } from "./message.ts";

export type ChannelContract = {
  readonly name: string;
  /** Makes the channel that tells the receiver at `url`. `url` is its secret. */
  readonly create: (options: {
    readonly url: string;
    readonly timeoutMs: number;
    readonly fetch: typeof globalThis.fetch;
  }) => Channel;
};

/** What the server does with one request. */
type Answer = (
  request: IncomingMessage & { readonly body: string },
  response: ServerResponse,
) => void;

const SECRET = "T0CANARY/B0CANARY/s3cr3t%2BCanaryTokenOfTheHook";

export const firing: Message = {
  id: "latency_p99:support-agent:1748959320000:firing@slack",
  state: "firing",
  endpoint: "support-agent",
  ruleId: "latency_p99",
  timeMs: Date.UTC(2025, 5, 3, 14, 2),
  headline: "support-agent is slow",
  detail:
    "p99 is 4.2 s (limit 1.0 s) since 14:02. 71 % of the added time is in `self.rewrite` (model calls wait 2.9 s instead of 0.4 s).",
  pageUrl: "http://127.0.0.1:4318/agents/support-agent?range=15m",
};

export const resolved: Message = {
  ...firing,
  id: "latency_p99:support-agent:1748959680000:resolved@slack",
  state: "resolved",
  timeMs: Date.UTC(2025, 5, 3, 14, 8),
  headline: "support-agent is no longer slow",
  detail: "p99 is 0.4 s (limit 1.0 s). It was slow for 6 min, from 14:02.",
};

export function testChannelContract({ name, create }: ChannelContract): void {
  async function exchange(
    answer: Answer,
    options: { message?: Message; timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<{ result: SendResult; bodies: string[]; url: string }> {
    const bodies: string[] = [];
    const server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      bodies.push(body);
      answer(Object.assign(request, { body }), response);
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const url = `http://127.0.0.1:${address.port}/services/${SECRET}`;
    try {
      const channel = create({ url, timeoutMs: options.timeoutMs ?? 5000, fetch });
      const result = await channel.send(
        options.message ?? firing,
        options.signal ?? new AbortController().signal,
      );
      return { result, bodies, url };
    } finally {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  }

  const status =
    (code: number, body = "", headers: Record<string, string> = {}): Answer =>
    (_, response) => {
      response.writeHead(code, headers).end(body);
    };

  for (const [code, kind] of [
    [200, "sent"],
    [202, "sent"],
    [204, "sent"],
    [301, "refused"],
    [302, "refused"],
    [307, "refused"],
    [308, "refused"],
    [400, "refused"],
    [401, "refused"],
    [403, "refused"],
    [404, "refused"],
    [408, "retry"],
    [410, "refused"],
    [413, "refused"],
    [429, "retry"],
    [500, "retry"],
    [502, "retry"],
    [503, "retry"],
    [504, "retry"],
  ] as const) {
    test(`${name}: ${code} is ${kind}`, async () => {
      const { result, bodies } = await exchange(status(code, "word"));
      assert.equal(result.kind, kind);
      assert.equal(bodies.length, 1);
    });
  }

  test(`${name}: a pause that the receiver asks for is passed on`, async () => {
    const { result } = await exchange(status(429, "", { "retry-after": "7" }));
    assert.equal(result.kind === "retry" && result.retryAfterMs, 7000);
  });

  test(`${name}: a pause that makes no sense is ignored`, async () => {
    for (const header of ["soon", "-1", "1e9", "99999999999999999999"]) {
      const { result } = await exchange(status(503, "", { "retry-after": header }));
      assert.deepEqual([result.kind, "retryAfterMs" in result], ["retry", false]);
    }
  });

  test(`${name}: a redirect is not followed`, async () => {
    let isReached = false;
    const { result } = await exchange((request, response) => {
      if (request.url === "/elsewhere") isReached = true;
      response.writeHead(307, { location: "/elsewhere" }).end();
    });
    assert.deepEqual([result.kind, isReached], ["refused", false]);
  });

  test(`${name}: no answer in time is tried again`, async () => {
    const { result } = await exchange(() => undefined, { timeoutMs: 30 });
    assert.equal(result.kind, "retry");
  });

  test(`${name}: a connection that breaks off is tried again`, async () => {
    const { result } = await exchange((request) => request.socket.destroy());
    assert.equal(result.kind, "retry");
  });

  test(`${name}: nobody there is tried again`, async () => {
    const { url } = await exchange(status(200));
    const channel = create({ url, timeoutMs: 5000, fetch });
    const result = await channel.send(firing, new AbortController().signal);
    assert.equal(result.kind, "retry");
  });

  test(`${name}: stopping ends the attempt, which may be made again`, async () => {
    const stop = new AbortController();
    const { result } = await exchange(() => stop.abort(), { signal: stop.signal });
    assert.equal(result.kind, "retry");
  });

  test(`${name}: an answer without end is read to a bound`, async () => {
    const { result } = await exchange(
      (_, response) => {
        response.writeHead(400);
        const more = () => {
          while (response.writable && response.write("x".repeat(65_536)));
        };
        response.on("drain", more).on("error", () => undefined);
        more();
      },
      { timeoutMs: 3_600_000 },
    );
    assert.equal(result.kind, "refused");
    assert.ok(JSON.stringify(result).length < 400);
  });

  test(`${name}: that it is over is told too, and differs`, async () => {
    const { bodies: first } = await exchange(status(200));
    const { result, bodies: second } = await exchange(status(200), { message: resolved });
    assert.equal(result.kind, "sent");
    assert.notEqual(first[0], second[0]);
    assert.match(second[0] ?? "", /resolved/i);
    assert.match(second[0] ?? "", /support-agent is no longer slow/);
  });

  test(`${name}: the same message is sent the same way again`, async () => {
    const { bodies: first } = await exchange(status(500));
    const { bodies: second } = await exchange(status(200));
    assert.deepEqual(first, second);
  });

  test(`${name}: names from outside do not break the message`, async () => {
    for (const text of [
      '"}]}',
      "<!here> <@U1> @channel",
      "\u0000\u001b[31m",
      "\ud800",
      "`*_~",
      "",
      "x".repeat(100_000),
    ]) {
      const message = { ...firing, endpoint: text, ruleId: text, headline: text, detail: text };
      const { result, bodies } = await exchange(status(200), { message });
      assert.equal(result.kind, "sent");
      assert.doesNotThrow(() => JSON.parse(bodies[0] ?? ""));
    }
  });

  test(`${name}: an answer that repeats the secret does not show it`, async () => {
    for (const encode of [
      (url: string) => url,
      (url: string) => url.toUpperCase(),
      (url: string) => encodeURIComponent(url),
      (url: string) => decodeURIComponent(url),
      (url: string) => JSON.stringify({ url }).replaceAll("/", "\\/"),
      (url: string) => `${"x".repeat(180)}${url}`,
      () => SECRET,
      () => SECRET.split("/").join(" and "),
    ]) {
      const { result } = await exchange((request, response) => {
        const url = `http://${request.headers.host}${request.url}`;
        response.writeHead(400).end(`cannot post to ${encode(url)}`);
      });
      assertNoSecret(result);
    }
  });

  test(`${name}: an error of fetch that holds the secret does not show it`, async () => {
    const url = `https://hooks.example.com/services/${SECRET}`;
    const invalidUrl = Object.assign(new TypeError(`Invalid URL: ${url}`), { input: url });
    const coded = Object.assign(new Error(url), { code: url });
    for (const thrown of [
      new TypeError("fetch failed", { cause: invalidUrl }),
      new TypeError(`fetch failed for ${url}`, { cause: coded }),
      new AggregateError([invalidUrl], url),
      Object.assign(new Error("no"), { code: "ECONNRESET", cause: invalidUrl }),
      url,
      { url },
      null,
      undefined,
    ]) {
      const channel = create({ url, timeoutMs: 1000, fetch: () => Promise.reject(thrown) });
      const result = await channel.send(firing, new AbortController().signal);
      assert.equal(result.kind, "retry");
      assertNoSecret(result);
      assertNoSecret(channel);
    }
  });

  test(`${name}: a fetch that throws at once is tried again`, async () => {
    const url = `https://hooks.example.com/services/${SECRET}`;
    const fetchThatThrows = () => {
      throw new TypeError(url);
    };
    const channel = create({ url, timeoutMs: 1000, fetch: fetchThatThrows });
    const result = await channel.send(firing, new AbortController().signal);
    assert.equal(result.kind, "retry");
    assertNoSecret(result);
  });

  test(`${name}: a secret that is not a URL is refused without showing it`, () => {
    for (const url of [SECRET, `https://[${SECRET}`, `\n${SECRET}`]) {
      assert.throws(
        () => create({ url, timeoutMs: 1000, fetch }),
        (error: unknown) => {
          assertNoSecret(error);
          return error instanceof Error && "code" in error && error.code === "CONFIG_INVALID";
        },
      );
    }
  });
}

/** Neither as people would see it in a log nor as JSON. */
function assertNoSecret(value: unknown): void {
  const shown = [
    inspect(value, { depth: 20, showHidden: true, getters: true }),
    JSON.stringify(value) ?? "",
    value instanceof Error ? `${value.message} ${value.stack}` : "",
  ];
  for (const text of shown) assert.doesNotMatch(text, /canary/i);
}
