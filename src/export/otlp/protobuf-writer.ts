/**
 * Writes protobuf's wire format from the last byte to the first: the size of a
 * message is known once its fields stand behind it, so nothing is written twice.
 * Fields therefore appear in the reverse of the order in which they are written.
 *
 * Source: protobuf.dev, Encoding.
 */
export type ProtobufWriter = {
  bytes: Buffer;
  /** What is written begins here and ends with the buffer. */
  at: number;
};

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;

const START_BYTES = 64 * 1024;
const TWO_TO_32 = 2 ** 32;

export function newProtobufWriter(): ProtobufWriter {
  return { bytes: Buffer.allocUnsafe(START_BYTES), at: START_BYTES };
}

/** A copy, so that the writer may be used again after `reset`. */
export function written(writer: ProtobufWriter): Uint8Array<ArrayBuffer> {
  return new Uint8Array(writer.bytes.subarray(writer.at));
}

export function reset(writer: ProtobufWriter): void {
  writer.at = writer.bytes.length;
}

export function writeMessage(writer: ProtobufWriter, field: number, write: () => void): void {
  const sizeAfter = writer.bytes.length - writer.at;
  write();
  writeHead(writer, field, writer.bytes.length - writer.at - sizeAfter);
}

export function writeText(writer: ProtobufWriter, field: number, text: string): void {
  const sizeBytes = Buffer.byteLength(text);
  move(writer, sizeBytes);
  writer.bytes.write(text, writer.at, sizeBytes);
  writeHead(writer, field, sizeBytes);
}

export function writeBytes(writer: ProtobufWriter, field: number, bytes: Uint8Array): void {
  move(writer, bytes.length);
  writer.bytes.set(bytes, writer.at);
  writeHead(writer, field, bytes.length);
}

export function writeDouble(writer: ProtobufWriter, field: number, value: number): void {
  move(writer, 8);
  writer.bytes.writeDoubleLE(value, writer.at);
  writeVarint(writer, field * 8 + FIXED64);
}

/** @param value a whole number from 0 to 2^53. */
export function writeFixed64(writer: ProtobufWriter, field: number, value: number): void {
  writeRawFixed64(writer, value);
  writeVarint(writer, field * 8 + FIXED64);
}

/** Nanoseconds exceed 2^53, so whole milliseconds and the rest are multiplied apart. */
export function writeTime(writer: ProtobufWriter, field: number, timeMs: number): void {
  const wholeMs = Math.floor(timeMs);
  const nano = BigInt(wholeMs) * 1_000_000n + BigInt(Math.round((timeMs - wholeMs) * 1e6));
  move(writer, 8);
  writer.bytes.writeBigUInt64LE(BigInt.asUintN(64, nano), writer.at);
  writeVarint(writer, field * 8 + FIXED64);
}

/** @param value a whole number from 0 to 2^32 - 1. */
export function writeNumber(writer: ProtobufWriter, field: number, value: number): void {
  writeVarint(writer, value);
  writeVarint(writer, field * 8 + VARINT);
}

export function writePackedDoubles(
  writer: ProtobufWriter,
  field: number,
  values: readonly number[],
): void {
  for (const value of values.toReversed()) {
    move(writer, 8);
    writer.bytes.writeDoubleLE(value, writer.at);
  }
  writeHead(writer, field, values.length * 8);
}

/** @param values whole numbers from 0 to 2^53. */
export function writePackedFixed64(
  writer: ProtobufWriter,
  field: number,
  values: readonly number[],
): void {
  for (const value of values.toReversed()) writeRawFixed64(writer, value);
  writeHead(writer, field, values.length * 8);
}

function writeRawFixed64(writer: ProtobufWriter, value: number): void {
  move(writer, 8);
  writer.bytes.writeUInt32LE(value % TWO_TO_32, writer.at);
  writer.bytes.writeUInt32LE(Math.floor(value / TWO_TO_32), writer.at + 4);
}

function writeHead(writer: ProtobufWriter, field: number, sizeBytes: number): void {
  writeVarint(writer, sizeBytes);
  writeVarint(writer, field * 8 + LENGTH);
}

function writeVarint(writer: ProtobufWriter, value: number): void {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) bytes += 1;
  move(writer, bytes);
  let rest = value;
  for (let at = writer.at; at < writer.at + bytes - 1; at++) {
    writer.bytes[at] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  writer.bytes[writer.at + bytes - 1] = rest;
}

/** Makes room for this many bytes in front of what is written. */
function move(writer: ProtobufWriter, sizeBytes: number): void {
  if (writer.at < sizeBytes) {
    const { bytes } = writer;
    const length = Math.max(bytes.length * 2, bytes.length + sizeBytes);
    const grown = Buffer.allocUnsafe(length);
    const at = length - (bytes.length - writer.at);
    bytes.copy(grown, at, writer.at);
    writer.bytes = grown;
    writer.at = at;
  }
  writer.at -= sizeBytes;
}
