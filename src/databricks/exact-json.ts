/**
 * JSON whose whole numbers keep all their digits. Job and run ids and times in
 * nanoseconds are larger than 2^53, where a JavaScript number rounds: what would
 * be rounded is read as a `bigint`, and a `bigint` is written as the number it is.
 */

/** The shortest text of a number that could be rounded. */
const LONG_NUMBER = /\d{16}/;
/** 64-bit numbers have 20 at most. More digits are some other number, and slow to turn into a `bigint`. */
const DIGITS_MAX = 20;

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** TypeScript's library does not know yet what all of our Nodes can do with the text of a number. */
const exactJson = JSON as unknown as {
  parse(text: string, reviver: Reviver): unknown;
  rawJSON(text: string): unknown;
};

/** @throws SyntaxError as `JSON.parse`. */
export function parseExactJson(text: string): unknown {
  // Most answers hold no such number, and are parsed several times as fast without the question.
  return LONG_NUMBER.test(text) ? exactJson.parse(text, exact) : JSON.parse(text);
}

const exact: Reviver = (_key, value, { source = "" }) =>
  typeof value === "number" && !Number.isSafeInteger(value) && isWhole(source)
    ? BigInt(source)
    : value;

const isWhole = (source: string) => source.length <= DIGITS_MAX && /^-?\d+$/.test(source);

export function writeExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "bigint" ? exactJson.rawJSON(String(part)) : part,
  );
}
