/**
 * An OTLP request in JSON becomes the same request in protobuf, which every receiver takes.
 * What a field can't hold is left out: whoever reads the request for its meaning has
 * refused what is wrong before.
 *
 * Source: OTLP specification, JSON Protobuf Encoding; protobuf.dev, Encoding.
 */
import type { Field, Message, Scalar } from "./otlp-messages.ts";

/** Deepest nesting of a message; a value below it is left out. */
const DEPTH_MAX = 100;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** @throws SyntaxError when the text is no JSON. */
export function jsonToProtobuf(text: string, message: Message): Uint8Array<ArrayBuffer> {
  return encode(JSON.parse(withWholeNumbers(text)), message, 0);
}

/**
 * Whole numbers beyond 2^53 stay what they are when they are text. Inside a text the quote
 * before the colon would have a backslash.
 */
function withWholeNumbers(text: string): string {
  return text.replace(
    /("\s*:\s*)(-?\d{16,20})(?=\s*[,}\]])/g,
    (whole, before, digits, at: number) => (text[at - 1] === "\\" ? whole : `${before}"${digits}"`),
  );
}

function encode(value: unknown, message: Message, depth: number): Uint8Array<ArrayBuffer> {
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return new Uint8Array(0);
  const parts: Uint8Array[] = [];
  const names = message.byName();
  for (const [name, told] of Object.entries(value)) {
    const field = names.get(name);
    if (!field || told === null) continue;
    if (field.repeated && typeof field.type === "string") {
      parts.push(...packed(field, field.type, told));
      continue;
    }
    for (const item of field.repeated ? listOf(told) : [told]) {
      parts.push(...written(field, item, depth));
    }
  }
  return new Uint8Array(Buffer.concat(parts));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function packed(field: Field, type: Scalar, told: unknown): Uint8Array[] {
  const values = listOf(told).flatMap((item) => scalar(type, item) ?? []);
  return values.length === 0 ? [] : lengthDelimited(field, Buffer.concat(values));
}

function written(field: Field, value: unknown, depth: number): Uint8Array[] {
  const { type } = field;
  if (typeof type !== "string") {
    const isObject = typeof value === "object" && value !== null;
    return isObject ? lengthDelimited(field, encode(value, type, depth + 1)) : [];
  }
  const bytes = scalar(type, value);
  if (bytes === null) return [];
  return wireType(type) === LENGTH ? lengthDelimited(field, bytes) : [tagOf(field, type), bytes];
}

function lengthDelimited({ number }: Field, bytes: Uint8Array): Uint8Array[] {
  return [varint(BigInt(number * 8 + LENGTH)), varint(BigInt(bytes.length)), bytes];
}

function tagOf({ number }: Field, type: Scalar): Uint8Array {
  return varint(BigInt(number * 8 + wireType(type)));
}

function wireType(type: Scalar): number {
  switch (type) {
    case "varint":
    case "zigzag":
      return VARINT;
    case "fixed64":
    case "double":
      return FIXED64;
    case "fixed32":
      return FIXED32;
    case "string":
    case "bytes":
    case "id":
      return LENGTH;
  }
}

/** `null` for what the type can't hold. */
function scalar(type: Scalar, value: unknown): Uint8Array | null {
  switch (type) {
    case "string":
      return typeof value === "string" ? Buffer.from(value) : null;
    case "bytes":
      return typeof value === "string" ? Buffer.from(value, "base64") : null;
    case "id":
      return typeof value === "string" && /^(?:[0-9a-f]{2}){0,32}$/i.test(value)
        ? Buffer.from(value, "hex")
        : null;
    case "double":
      return double(value);
    case "varint":
      return whole(value, (number) => varint(BigInt.asUintN(64, number)));
    case "zigzag":
      return whole(value, (number) => varint(BigInt.asUintN(64, (number << 1n) ^ (number >> 63n))));
    case "fixed64":
      return whole(value, (number) => {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64LE(BigInt.asUintN(64, number));
        return bytes;
      });
    case "fixed32":
      return whole(value, (number) => {
        const bytes = Buffer.alloc(4);
        bytes.writeUInt32LE(Number(BigInt.asUintN(32, number)));
        return bytes;
      });
  }
}

function whole(value: unknown, write: (number: bigint) => Uint8Array): Uint8Array | null {
  if (typeof value === "boolean") return write(value ? 1n : 0n);
  if (typeof value === "number") return Number.isSafeInteger(value) ? write(BigInt(value)) : null;
  if (typeof value !== "string") return null;
  if (/^-?\d{1,20}$/.test(value)) return write(BigInt(value));
  const known = enums.get(value);
  return known === undefined ? null : write(known);
}

/** As JSON may name them in place of their numbers. */
const enums: ReadonlyMap<string, bigint> = new Map([
  ["SPAN_KIND_UNSPECIFIED", 0n],
  ["SPAN_KIND_INTERNAL", 1n],
  ["SPAN_KIND_SERVER", 2n],
  ["SPAN_KIND_CLIENT", 3n],
  ["SPAN_KIND_PRODUCER", 4n],
  ["SPAN_KIND_CONSUMER", 5n],
  ["STATUS_CODE_UNSET", 0n],
  ["STATUS_CODE_OK", 1n],
  ["STATUS_CODE_ERROR", 2n],
  ["AGGREGATION_TEMPORALITY_UNSPECIFIED", 0n],
  ["AGGREGATION_TEMPORALITY_DELTA", 1n],
  ["AGGREGATION_TEMPORALITY_CUMULATIVE", 2n],
]);

function double(value: unknown): Uint8Array | null {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  if (typeof number !== "number") return null;
  if (Number.isNaN(number) && value !== "NaN") return null;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(number);
  return bytes;
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
