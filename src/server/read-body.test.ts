/**
 * What a body may be: plain or gzip, in any chunks, up to a limit; and what
 * happens to bombs, damage and connections that break.
 */
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createGzip, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { MonitorError } from "../monitor-error.ts";
import { BODY_MAX_BYTES, isEncodingSupported, readBody } from "./read-body.ts";

const MIB = 1024 * 1024;

async function* inChunks(body: Uint8Array, sizeBytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += sizeBytes) yield body.subarray(at, at + sizeBytes);
}

async function refuses(
  code: string,
  message: RegExp,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  options: { encoding?: string; maxBytes?: number } = {},
): Promise<void> {
  const stream = body instanceof Uint8Array ? inChunks(body) : body;
  const { encoding, ...rest } = options;
  await assert.rejects(readBody(stream, { encoding, ...rest }), (error) => {
    assert.ok(error instanceof MonitorError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

test("any body comes out as it went in, plain or gzip, however it is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 2000 }),
      fc.integer({ min: 1, max: 700 }),
      fc.constantFrom(undefined, "", "identity", "gzip", "x-gzip", " GZIP "),
      async (body, sizeBytes, encoding) => {
        const isGzip = /gzip/i.test(encoding ?? "");
        const sent = isGzip ? gzipSync(body) : body;
        const read = await readBody(inChunks(sent, sizeBytes), { encoding });
        assert.deepEqual([...read], [...body]);
      },
    ),
    { numRuns: 200 },
  );
});

test("several gzip members make one body", async () => {
  const sent = Buffer.concat([gzipSync("one, "), gzipSync("two")]);
  const read = await readBody(inChunks(sent, 3), { encoding: "gzip" });
  assert.equal(new TextDecoder().decode(read), "one, two");
});

for (const encoding of ["deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "gzip;q=1"]) {
  test(`content-encoding "${encoding}" is not supported`, async () => {
    assert.equal(isEncodingSupported(encoding), false);
    await refuses("TELEMETRY_INVALID", /not supported/, deflateSync("x"), { encoding });
  });
}

test("a body of just the limit is read, one byte more is too large", async () => {
  const body = new Uint8Array(1000).map((_, index) => index * 7);
  const options = { maxBytes: 1000 };
  assert.equal((await readBody(inChunks(body), { encoding: undefined, ...options })).length, 1000);
  const gzip = gzipSync(body);
  assert.equal((await readBody(inChunks(gzip), { encoding: "gzip", ...options })).length, 1000);
  const more = new Uint8Array(1001);
  await refuses("TELEMETRY_TOO_LARGE", /larger than 1000 bytes/, more, options);
  await refuses("TELEMETRY_TOO_LARGE", /larger than 1000 bytes/, gzipSync(more), {
    encoding: "gzip",
    ...options,
  });
});

test("gzip that hardly unpacks to anything is still bounded", async () => {
  const members = Buffer.concat(new Array(200).fill(gzipSync("")));
  await refuses("TELEMETRY_TOO_LARGE", /larger than 1000 bytes/, members, {
    encoding: "gzip",
    maxBytes: 1000,
  });
});

test("gzip cut off, damaged, empty or not gzip at all is invalid", async () => {
  const body = new Uint8Array(5000).map((_, index) => (index * index) >> 3);
  const gzip = gzipSync(body);
  const damaged = Uint8Array.from(gzip);
  damaged[gzip.length - 6] = (damaged[gzip.length - 6] ?? 0) ^ 0xff;
  const broken = [gzip.subarray(0, -1), gzip.subarray(0, 5), damaged, new Uint8Array(0), body];
  for (const sent of broken) {
    await refuses("TELEMETRY_INVALID", /not whole gzip data/, sent, { encoding: "gzip" });
  }
});

for (const encoding of ["identity", "gzip"]) {
  test(`a connection that breaks is invalid telemetry (${encoding})`, async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield gzipSync("x").subarray(0, 8);
      throw new Error("aborted");
    }
    await refuses("TELEMETRY_INVALID", /ended early/, broken(), { encoding });
  });
}

test("200 MiB of zeros in 200 kB are given up at once and in little memory", async () => {
  const bomb = await zeros(200);
  assert.ok(bomb.length < 300_000);
  const before = process.memoryUsage();
  const start = performance.now();
  await refuses("TELEMETRY_TOO_LARGE", /more than 200 times its size/, bomb, { encoding: "gzip" });
  // The same in one chunk, where the ratio is only passed after the limit.
  await refuses("TELEMETRY_TOO_LARGE", /larger than 20971520 bytes/, inChunks(bomb, bomb.length), {
    encoding: "gzip",
  });
  const tookMs = performance.now() - start;
  const after = process.memoryUsage();
  const grownMiB = (after.rss - before.rss) / MIB;
  assert.ok(tookMs < 1000, `took ${tookMs} ms`);
  assert.ok(grownMiB < 64, `grew by ${grownMiB} MiB`);
});

test("a bomb whose sender then falls silent is refused without waiting for more", async () => {
  const bomb = await zeros(50);
  async function* silent(): AsyncGenerator<Uint8Array> {
    yield bomb;
    await new Promise(() => {});
  }
  await refuses("TELEMETRY_TOO_LARGE", /more than 200 times/, silent(), { encoding: "gzip" });
});

test("well compressed telemetry below 1 MiB is no bomb", async () => {
  const body = new Uint8Array(MIB);
  const gzip = gzipSync(body);
  assert.ok(body.length / gzip.length > 500);
  assert.equal((await readBody(inChunks(gzip), { encoding: "gzip" })).length, MIB);
});

test("a body in chunks of one byte is read", async () => {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < 10_000; index++) yield Uint8Array.of(index);
  }
  assert.equal((await readBody(bytes(), { encoding: undefined })).length, 10_000);
});

test("a client whose body is refused still gets its answer", async () => {
  const server = createServer((incoming, response) => {
    readBody(incoming, { encoding: incoming.headers["content-encoding"] }).then(
      (body) => response.end(String(body.length)),
      (error: unknown) => {
        const isLarge = error instanceof MonitorError && error.code === "TELEMETRY_TOO_LARGE";
        response.writeHead(isLarge ? 413 : 400, { connection: "close" }).end();
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bomb = await zeros(200);
  const { port } = server.address() as AddressInfo; // A TCP server has no other address.
  const send = (body: Uint8Array, encoding: string) =>
    new Promise<string>((resolve, reject) => {
      const client = request(
        { port, host: "127.0.0.1", method: "POST", headers: { "content-encoding": encoding } },
        (response) => {
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve(`${response.statusCode} ${text}`.trim()));
        },
      );
      client.on("error", reject);
      client.end(body);
    });
  try {
    assert.equal(await send(gzipSync("hello"), "gzip"), "200 5");
    assert.equal(await send(Buffer.from("hello"), "identity"), "200 5");
    assert.equal(await send(Buffer.from("hello"), "gzip"), "400");
    assert.equal(await send(bomb, "gzip"), "413");
    assert.equal(await send(new Uint8Array(BODY_MAX_BYTES), "identity"), `200 ${BODY_MAX_BYTES}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

/** Gzip of zeros, made in a stream so that the test itself stays small. */
async function zeros(sizeMiB: number): Promise<Uint8Array> {
  const gzip = createGzip({ level: 9 });
  const chunks: Uint8Array[] = [];
  gzip.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  const piece = new Uint8Array(MIB);
  for (let index = 0; index < sizeMiB; index++) {
    await new Promise<void>((resolve) => {
      gzip.write(piece, () => resolve());
    });
  }
  await new Promise<void>((resolve) => {
    gzip.on("end", resolve);
    gzip.end();
  });
  return Buffer.concat(chunks);
}
