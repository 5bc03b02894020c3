/**
 * What is sent up as it is: bytes, or a file that is read while it is sent. Its
 * size is known before, since storage asks for it.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

export type ByteSource = Uint8Array | ByteStream;

export type ByteStream = {
  readonly sizeBytes: number;
  /** Begins anew each time it is called. */
  readonly open: () => AsyncIterable<Uint8Array>;
  /** `false` where it can be opened once only: then no failed attempt is repeated. */
  readonly canOpenAgain: boolean;
};

export function sizeOf(source: ByteSource): number {
  return source instanceof Uint8Array ? source.byteLength : source.sizeBytes;
}

/** A slower upload is given up. */
const UPLOAD_MIN_BYTES_PER_S = 256 * 1024;

/** The time that sending it may take at most. */
export function uploadTimeMs(source: ByteSource | undefined): number {
  return source ? Math.ceil(sizeOf(source) / UPLOAD_MIN_BYTES_PER_S) * 1000 : 0;
}

export function canBeSentAgain(body: string | ByteSource | undefined): boolean {
  return typeof body !== "object" || body instanceof Uint8Array || body.canOpenAgain;
}

/** A file, which is read again from its start for each attempt. Rejects where there is none. */
export async function fileSource(path: string): Promise<ByteStream> {
  const { size } = await stat(path);
  return { sizeBytes: size, open: () => createReadStream(path), canOpenAgain: true };
}

/** A stream of `sizeBytes`, such as what another server sends. */
export function streamSource(stream: AsyncIterable<Uint8Array>, sizeBytes: number): ByteStream {
  return { sizeBytes, open: () => stream, canOpenAgain: false };
}
