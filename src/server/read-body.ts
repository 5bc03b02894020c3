/**
 * Reads a request body, plain or gzip, into memory that is bounded whatever is
 * sent: decompressed bytes are counted as they come, and a small body that
 * would unpack into a huge one is given up early.
 */
import { createGunzip, type Gunzip } from "node:zlib";
import { MonitorError } from "../monitor-error.ts";

/** Largest body accepted, in bytes after decompression; what OpenTelemetry's Collector accepts. */
export const BODY_MAX_BYTES = 20 * 1024 * 1024;

/** Highest ratio of plain to compressed bytes. Telemetry compresses 5 to 30 times. */
export const GZIP_RATIO_MAX = 200;

/** Plain bytes up to which the ratio does not matter: a little repeated text may exceed it. */
export const GZIP_RATIO_FREE_BYTES = 1024 * 1024;

/** Buffers that wait for the next body, and the largest that does. */
const FREE_BUFFERS_MAX = 8;
const FREE_BUFFER_MAX_BYTES = 2 * 1024 * 1024;

/**
 * Buffers that bodies are read into, used again: making and unmapping half a megabyte for each
 * batch took more time than everything that is done with it.
 */
export class BodyBuffers {
  readonly #free: Uint8Array[] = [];

  /** @param sizeBytes wanted where there is none; one that is free may be of any size. */
  take(sizeBytes: number): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(sizeBytes);
  }

  /** @param body that `readBody` gave. Nobody may look at it from now on. */
  giveBack({ buffer }: Uint8Array): void {
    if (this.#free.length >= FREE_BUFFERS_MAX || buffer.byteLength > FREE_BUFFER_MAX_BYTES) return;
    this.#free.push(new Uint8Array(buffer));
  }
}

export type BodyOptions = {
  /** The header `content-encoding`. */
  readonly encoding: string | undefined;
  readonly maxBytes?: number;
  /** Where the body's buffer comes from; a new one without it. */
  readonly buffers?: BodyBuffers;
};

/**
 * Never destroys or drains `stream`, so that the caller can still answer; after
 * an error it should do so with `connection: close`.
 *
 * @throws MonitorError `TELEMETRY_TOO_LARGE` beyond `maxBytes` or the ratio (status 413),
 * `TELEMETRY_INVALID` for damaged gzip, a body that ends early (400), or an
 * encoding for which `isEncodingSupported` is false (415).
 */
export async function readBody(
  stream: AsyncIterable<Uint8Array>,
  { encoding, maxBytes = BODY_MAX_BYTES, buffers = new BodyBuffers() }: BodyOptions,
): Promise<Uint8Array> {
  const kept = newKept(maxBytes, buffers);
  switch (contentCoding(encoding)) {
    case "identity":
      return readPlain(stream, kept);
    case "gzip":
      return readGzip(stream, kept);
    case "other":
      throw new MonitorError(
        "TELEMETRY_INVALID",
        "cannot read the body: its content-encoding is not supported",
        { hint: "Send the body plain, or compressed once with gzip." },
      );
  }
}

/** Whether `readBody` can read a body with this `content-encoding`. Otherwise the answer is status 415. */
export function isEncodingSupported(encoding: string | undefined): boolean {
  return contentCoding(encoding) !== "other";
}

function contentCoding(header: string | undefined): "identity" | "gzip" | "other" {
  switch (header?.trim().toLowerCase() ?? "") {
    case "":
    case "identity":
      return "identity";
    case "gzip":
    case "x-gzip":
      return "gzip";
    default:
      return "other";
  }
}

async function readPlain(stream: AsyncIterable<Uint8Array>, kept: Kept): Promise<Uint8Array> {
  const { maxBytes } = kept;
  const next = nextChunkOf(stream);
  for (let chunk = await next(); chunk !== null; chunk = await next()) {
    if (kept.sizeBytes + chunk.length > maxBytes) throw tooLarge(maxBytes);
    keep(kept, chunk);
  }
  return kept.bytes.subarray(0, kept.sizeBytes);
}

function readGzip(stream: AsyncIterable<Uint8Array>, kept: Kept): Promise<Uint8Array> {
  const { maxBytes } = kept;
  return new Promise((resolve, reject) => {
    const gunzip = createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES });
    let gzipBytes = 0;
    let isOver = false;

    function fail(error: unknown): void {
      isOver = true;
      gunzip.destroy();
      reject(error);
    }

    gunzip.on("data", (chunk: Uint8Array) => {
      // What was already unpacked may still be handed over after `destroy`.
      if (isOver) return;
      const plainBytes = kept.sizeBytes + chunk.length;
      if (plainBytes > maxBytes) fail(tooLarge(maxBytes));
      else if (plainBytes > GZIP_RATIO_FREE_BYTES && plainBytes > gzipBytes * GZIP_RATIO_MAX) {
        fail(ratioTooHigh());
      } else keep(kept, chunk);
    });
    gunzip.on("error", (cause) => fail(gzipDamaged(gzipBytes, cause)));
    gunzip.on("end", () => {
      isOver = true;
      resolve(kept.bytes.subarray(0, kept.sizeBytes));
    });

    async function feed(): Promise<void> {
      const next = nextChunkOf(stream);
      for (let chunk = await next(); chunk !== null && !isOver; chunk = await next()) {
        gzipBytes += chunk.length;
        if (gzipBytes > maxBytes) throw tooLarge(maxBytes);
        // One chunk at a time: nothing queues up, and the ratio compares what belongs together.
        await write(gunzip, chunk);
      }
      if (gzipBytes === 0) throw gzipDamaged(0, undefined);
      gunzip.end();
    }
    feed().catch(fail);
  });
}

const GUNZIP_CHUNK_BYTES = 64 * 1024;

/** Resolves when `chunk` was unpacked, and also when it could not be: "error" tells that. */
function write(gunzip: Gunzip, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    gunzip.write(chunk, () => resolve());
  });
}

/**
 * Gives chunk after chunk, then `null`. Unlike `for await` it leaves the stream
 * alone when reading stops early: Node would destroy the socket before the answer.
 */
function nextChunkOf(stream: AsyncIterable<Uint8Array>): () => Promise<Uint8Array | null> {
  const iterator = stream[Symbol.asyncIterator]();
  return async () => {
    try {
      const result = await iterator.next();
      return result.done === true ? null : result.value;
    } catch (cause) {
      throw new MonitorError("TELEMETRY_INVALID", "cannot read the body: it ended early", {
        hint: "Send the request again; look for a proxy or a time limit that closes connections.",
        cause,
      });
    }
  };
}

/** One growing buffer instead of a list: a body may come in chunks of one byte. */
type Kept = { bytes: Uint8Array; sizeBytes: number; readonly maxBytes: number };

const KEPT_START_BYTES = 64 * 1024;

function newKept(maxBytes: number, buffers: BodyBuffers): Kept {
  return { bytes: buffers.take(Math.min(KEPT_START_BYTES, maxBytes)), sizeBytes: 0, maxBytes };
}

/** The caller has checked that `chunk` still fits into `maxBytes`. */
function keep(kept: Kept, chunk: Uint8Array): void {
  const neededBytes = kept.sizeBytes + chunk.length;
  if (neededBytes > kept.bytes.length) {
    const grown = new Uint8Array(
      Math.min(Math.max(neededBytes, 2 * kept.bytes.length), kept.maxBytes),
    );
    grown.set(kept.bytes.subarray(0, kept.sizeBytes));
    kept.bytes = grown;
  }
  kept.bytes.set(chunk, kept.sizeBytes);
  kept.sizeBytes = neededBytes;
}

function tooLarge(maxBytes: number): MonitorError {
  return new MonitorError(
    "TELEMETRY_TOO_LARGE",
    `cannot read the body: it is larger than ${maxBytes} bytes`,
    { hint: "Send smaller batches: OTEL_BSP_MAX_EXPORT_BATCH_SIZE sets the most spans in one." },
  );
}

function ratioTooHigh(): MonitorError {
  return new MonitorError(
    "TELEMETRY_TOO_LARGE",
    `cannot read the body: its gzip unpacks to more than ${GZIP_RATIO_MAX} times its size`,
    { hint: "Send smaller batches, or send them without compression." },
  );
}

function gzipDamaged(gzipBytes: number, cause: unknown): MonitorError {
  return new MonitorError(
    "TELEMETRY_INVALID",
    `cannot read the body: what its ${gzipBytes} bytes hold is not whole gzip data`,
    {
      hint: 'Compress the whole body once with gzip, or send it without the header "content-encoding".',
      cause,
    },
  );
}
