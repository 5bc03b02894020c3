/** Changes, bytes up and down, streams of events and addresses elsewhere, against a real server. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { apiPath } from "./api-path.ts";
import type { DatabricksClient } from "./client.ts";
import { DatabricksError } from "./databricks-error.ts";
import {
  answer,
  failure,
  ok,
  reset,
  type Setting,
  TIMEOUT_MS,
  withServer,
} from "./test-answering-server.ts";
import { fileSource, streamSource } from "./upload.ts";

/** Jumps over waits between attempts, and over no deadline. */
const serve: typeof withServer = (answers, use, options) =>
  withServer(answers, use, { skipsUpToMs: 20_000, ...options });

const path = apiPath`/api/2.0/things/${"a b"}`;
const purpose = "change a thing";
const empty: RequestListener = (_request, response) => response.writeHead(204).end();

for (const [what, change, expected] of [
  ["PUT", (c) => c.putJson(path, { a: 1 }, { purpose }), 'PUT /api/2.0/things/a%20b {"a":1}'],
  [
    "PATCH",
    (c) => c.patchJson(path, { a: 1 }, { purpose, query: { update_mask: "a,b" } }),
    'PATCH /api/2.0/things/a%20b?update_mask=a%2Cb {"a":1}',
  ],
  ["PUT of a name", (c) => c.put(path, { purpose }), "PUT /api/2.0/things/a%20b "],
  ["DELETE", (c) => c.delete(path, { purpose }), "DELETE /api/2.0/things/a%20b "],
  [
    "DELETE of what a body names",
    (c) => c.delete(path, { purpose, body: { a: 1 } }),
    'DELETE /api/2.0/things/a%20b {"a":1}',
  ],
  [
    "an id with all its digits",
    (c) => c.postJson(path, { job_id: 620987654321987654n }, { purpose }),
    'POST /api/2.0/things/a%20b {"job_id":620987654321987654}',
  ],
] as readonly (readonly [string, (client: DatabricksClient) => Promise<unknown>, string])[]) {
  test(`sends ${what}`, () =>
    serve([ok], async ({ client, seen }) => {
      await change(client);
      assert.deepEqual(
        seen.map(({ method, url, body }) => `${method} ${url} ${body}`),
        [expected],
      );
    }));
}

for (const [what, change, calls] of [
  ["PUT is repeated", (c) => c.putJson(path, {}, { purpose }), 2],
  ["DELETE is repeated", (c) => c.delete(path, { purpose }), 2],
  [
    "PATCH is repeated where that is harmless",
    (c) => c.patchJson(path, {}, { purpose, isIdempotent: true }),
    2,
  ],
  ["bytes are sent again", (c) => c.putBytes(path, new Uint8Array(3), { purpose }), 2],
] as readonly (readonly [string, (client: DatabricksClient) => Promise<unknown>, number])[]) {
  test(`after a broken connection, ${what}`, () =>
    serve([reset, ok], async ({ client, seen }) => {
      await change(client);
      assert.equal(seen.length, calls);
    }));
}

for (const [what, change] of [
  ["PATCH", (c) => c.patchJson(path, {}, { purpose })],
  ["PUT that says so", (c) => c.putJson(path, {}, { purpose, isIdempotent: false })],
  [
    "a stream that can be read only once",
    (c) => c.putBytes(path, streamSource(pieces(), 6), { purpose }),
  ],
] as readonly (readonly [string, (client: DatabricksClient) => Promise<unknown>])[]) {
  test(`after a broken connection, ${what} is not repeated`, () =>
    serve([reset, ok], async ({ client, seen }) => {
      await assert.rejects(change(client), DatabricksError);
      assert.equal(seen.length, 1);
    }));
}

test("what is gone after a broken connection is deleted; what was never there is not", () =>
  serve([reset, answer(404, {})], async ({ client }) => {
    await client.delete(path, { purpose });
    await assert.rejects(client.delete(path, { purpose }), /answered 404/);
  }));

test("a call has the deadline that it asks for", async () => {
  let advance = async () => {};
  await serve([() => void advance()], async (setting) => {
    advance = () => setting.clock.advance(5_000_000);
    const call = setting.client.getJson(path, {
      purpose,
      timeoutMs: 5_000_000,
      totalTimeoutMs: 5_000_000,
    });
    assert.match(await failure(call, setting), /gave no whole answer within 5000 s/);
  });
});

async function* pieces() {
  yield new TextEncoder().encode("abc");
  yield new TextEncoder().encode("def");
}

/** Remembers the headers that matter for storage. */
function recordingLengths(lengths: unknown[]): RequestListener {
  return (request, response) => {
    lengths.push([request.headers["content-length"], request.headers["transfer-encoding"]]);
    request.on("end", () => response.writeHead(204).end());
  };
}

test("a file goes up with its length, again from its start after a 503", async () => {
  const directory = mkdtempSync(join(tmpdir(), "client-bytes-"));
  const file = join(directory, "file");
  writeFileSync(file, "x".repeat(300_000));
  const lengths: unknown[] = [];
  const refused: RequestListener = (request, response) => {
    request.on("end", () => answer(503, {})(request, response));
  };
  await serve([refused, recordingLengths(lengths)], async ({ client, seen }) => {
    await client.putBytes(path, await fileSource(file), { purpose, query: { overwrite: "true" } });
    assert.deepEqual(
      seen.map(({ url, body }) => [url, body.length]),
      new Array(2).fill(["/api/2.0/things/a%20b?overwrite=true", 300_000]),
    );
    assert.deepEqual(lengths, [["300000", undefined]]);
  });
  rmSync(directory, { recursive: true });
});

test("a stream goes up with the length that is known", () => {
  const lengths: unknown[] = [];
  return serve([recordingLengths(lengths)], async ({ client, seen }) => {
    await client.putBytes(path, streamSource(pieces(), 6), { purpose });
    assert.equal(seen[0]?.body, "abcdef");
    assert.deepEqual(lengths, [["6", undefined]]);
  });
});

for (const sizeBytes of [5, 7]) {
  test(`a stream of 6 bytes that is said to have ${sizeBytes}`, () =>
    serve([empty], async (setting) => {
      assert.equal(
        await failure(
          setting.client.putBytes(path, streamSource(pieces(), sizeBytes), { purpose }),
          setting,
        ),
        `DATABRICKS_UNREACHABLE: cannot change a thing: PUT /api/2.0/things/a%20b on https://dbc could not be sent: there is more or less of it than its size says
  Hint: Nothing may write to a file while it is uploaded; then try again.`,
      );
    }));
}

test("what can't be read here is told as it is", () =>
  serve([() => {}], async ({ client }) => {
    async function* broken() {
      yield new Uint8Array(3);
      throw new Error("the disk is broken");
    }
    const sent = client.putBytes(path, streamSource(broken(), 6), { purpose });
    await assert.rejects(sent, /^Error: the disk is broken$/);
  }));

test("a refused upload says what Databricks said", () =>
  serve([answer(409, { error_code: "ALREADY_EXISTS", message: "It exists." })], ({ client }) =>
    assert.rejects(
      client.putBytes(path, new Uint8Array(3), { purpose }),
      (error: DatabricksError) => {
        assert.equal(error.call.errorCode, "ALREADY_EXISTS");
        return true;
      },
    ),
  ));

test("a sign-in page is no success", () =>
  serve([answer(200, "<html>Sign in</html>")], ({ client }) =>
    assert.rejects(client.put(path, { purpose }), /but it is HTML of 20 characters, not JSON$/),
  ));

const limits = { purpose: "read a file", maxBytes: 10_000_000 };

/** Reads to the end, and returns how much there was. */
async function sizeOfAll(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let sizeBytes = 0;
  for await (const chunk of chunks) sizeBytes += chunk.length;
  return sizeBytes;
}

test("bytes come down as they are sent", () =>
  serve(
    [
      (request, response) => {
        assert.equal(request.headers.range, "bytes=1-");
        response.writeHead(206, { "x-thing": "1" }).end(Buffer.alloc(5_000_000));
      },
    ],
    async ({ client }) => {
      const { status, headers, chunks } = await client.getBytes(path, {
        ...limits,
        headers: { range: "bytes=1-" },
      });
      assert.deepEqual([status, headers.get("x-thing")], [206, "1"]);
      assert.equal(await sizeOfAll(chunks), 5_000_000);
    },
  ));

test("an empty body", () =>
  serve([empty], async ({ client }) => {
    assert.equal(await sizeOfAll((await client.getBytes(path, limits)).chunks), 0);
  }));

test("leaving the loop closes the connection", async () => {
  const closed = Promise.withResolvers<void>();
  await serve(
    [
      (_request, response) => {
        response.on("close", closed.resolve).writeHead(200).write("abc");
      },
    ],
    async ({ client }) => {
      for await (const _chunk of (await client.getBytes(path, limits)).chunks) break;
      await closed.promise;
    },
  );
});

test("a body that is too large is given up", () =>
  serve([(_request, response) => response.end(Buffer.alloc(1_100_000))], async (setting) => {
    const { chunks } = await setting.client.getBytes(path, { ...limits, maxBytes: 1024 * 1024 });
    assert.equal(
      await failure(sizeOfAll(chunks), setting),
      `DATABRICKS_FAILED: cannot read a file: GET /api/2.0/things/a%20b on https://dbc answered with more than 1 MiB, the most that is read
  Hint: Ask for less at once, or check that the host is a Databricks workspace.`,
    );
  }));

test("a body that breaks off is an error, not a short body", () =>
  serve(
    [
      (_request, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("abc", () => response.destroy());
      },
    ],
    async (setting) => {
      const { chunks } = await setting.client.getBytes(path, limits);
      assert.match(
        await failure(sizeOfAll(chunks), setting),
        /lost the connection before the answer was whole/,
      );
      assert.equal(setting.seen.length, 1);
    },
  ));

test("a body that stops coming ends with the idle deadline, however long it was coming", async () => {
  const { promise: answering, resolve } = Promise.withResolvers<ServerResponse>();
  await serve(
    [
      (_request, response) => {
        response.writeHead(200).flushHeaders();
        resolve(response);
      },
    ],
    async (setting) => {
      const { client, clock } = setting;
      const { chunks } = await client.getBytes(path, {
        ...limits,
        idleTimeoutMs: TIMEOUT_MS,
        totalTimeoutMs: 10 * TIMEOUT_MS,
      });
      const reader = chunks[Symbol.asyncIterator]();
      const response = await answering;
      for (let part = 0; part < 3; part++) {
        response.write("abc");
        assert.equal((await reader.next()).done, false);
        // Nobody waits for bytes now, so no deadline passes.
        await clock.advance(2 * TIMEOUT_MS);
      }
      const last = failure(reader.next(), setting);
      await clock.advance(TIMEOUT_MS);
      assert.match(await last, /did not go on with its answer for 1000 s/);
    },
  );
});

test("the head of a file", () =>
  serve(
    [(_request, response) => response.writeHead(200, { "content-length": "5" }).end()],
    async ({ client, seen }) => {
      assert.equal((await client.head(path, { purpose })).get("content-length"), "5");
      assert.equal(seen[0]?.method, "HEAD");
    },
  ));

const asEvents = { "content-type": "text/event-stream; charset=utf-8" };

async function dataOf({ client }: Setting, idleTimeoutMs?: number): Promise<string[]> {
  const data: string[] = [];
  const events = client.postEvents(path, { stream: true }, { purpose: "ask", idleTimeoutMs });
  for await (const event of events) data.push(event.data);
  return data;
}

test("events arrive while the answer is being made", async () => {
  const { promise: answering, resolve } = Promise.withResolvers<ServerResponse>();
  await serve(
    [
      (_request, response) => {
        response.writeHead(200, asEvents).write("data: a\n\n");
        resolve(response);
      },
    ],
    async ({ client, seen }) => {
      const events = client
        .postEvents(path, { stream: true }, { purpose: "ask" })
        [Symbol.asyncIterator]();
      assert.equal(seen.length, 0);
      assert.equal((await events.next()).value.data, "a");
      (await answering).end("data: b\n\n");
      assert.equal((await events.next()).value.data, "b");
      assert.equal((await events.next()).done, true);
      assert.equal(seen[0]?.body, '{"stream":true}');
    },
  );
});

test("an answer that comes whole is the only event", () =>
  serve([answer(200, { a: 1 })], async (setting) => {
    assert.deepEqual(await dataOf(setting), ['{"a":1}']);
  }));

for (const [what, listener, expected] of [
  ["a page", answer(200, "<html>"), /answered 200, but it is neither a stream of events nor JSON/],
  ["a refusal", answer(429, { message: "Too many" }), /answered 429: Too many/],
  [
    "an endless event",
    (_request, response) => void response.writeHead(200, asEvents).end("x".repeat(9_000_000)),
    /has an event of more than 8 Mi characters/,
  ],
  [
    "a stream that breaks off",
    (_request, response) =>
      void response.writeHead(200, asEvents).write("data: a\n\n", () => response.destroy()),
    /lost the connection/,
  ],
] as readonly (readonly [string, RequestListener, RegExp])[]) {
  test(`${what} in place of events`, () =>
    serve([listener], async (setting) => {
      assert.match(await failure(dataOf(setting), setting), expected);
      assert.equal(setting.seen.length, 1);
    }));
}

for (const [what, start, told] of [
  ["no first byte", () => {}, "gave no whole answer within"],
  [
    "no next byte",
    (response) => response.writeHead(200, asEvents).write("data: a\n\n"),
    "did not go on with its answer for",
  ],
] as readonly (readonly [string, (response: ServerResponse) => void, string])[]) {
  test(`${what} ends with the idle deadline`, async () => {
    const asked = Promise.withResolvers<void>();
    await serve(
      [
        (_request, response) => {
          start(response);
          asked.resolve();
        },
      ],
      async (setting) => {
        const ended = failure(dataOf(setting, 100_000), setting);
        await asked.promise;
        await setting.clock.advance(100_000);
        assert.match(await ended, new RegExp(`${told} 100 s`));
      },
    );
  });
}

test("to an address elsewhere the token never goes, and no error shows its signature", () =>
  serve([ok, answer(403, {})], async (setting) => {
    const { client, seen, host } = setting;
    const link = {
      url: `${host}/bucket/part?sig=canary%2Fa+b`,
      headers: { "x-ms-blob-type": "BlockBlob" },
    };
    assert.equal(await client.external.getText(link, { purpose }), '{"endpoints":[]}');
    const refused = await failure(
      client.external.put(link, new Uint8Array(2), { purpose }),
      setting,
    );
    assert.equal(
      refused,
      `DATABRICKS_FAILED: cannot change a thing: PUT /bucket/part on https://dbc answered 403
  Hint: The storage behind the workspace refused it: check the network rules between here and it.`,
    );
    assert.deepEqual(
      seen.map(({ method, url, authorization }) => [method, url, authorization]),
      [
        ["GET", "/bucket/part?sig=canary%2Fa+b", undefined],
        ["PUT", "/bucket/part?sig=canary%2Fa+b", undefined],
      ],
    );
  }));
