/**
 * What is kept of the context that a caller gives with an error: a copy without
 * secrets, bounded in depth and size, whatever the original is.
 */
import type { Scrubber } from "../signals/scrub.ts";
import type { KeyMeaning } from "../signals/scrub-key.ts";
import { SECRET } from "../signals/scrub-secrets.ts";
import { asText, UNREADABLE } from "./read-safely.ts";

export type ContextValue =
  | string
  | number
  | boolean
  | null
  | readonly ContextValue[]
  | { readonly [key: string]: ContextValue };

export type Context = Readonly<Record<string, ContextValue>>;

/** Objects inside objects. What lies deeper becomes `[…]`. */
const DEPTH_MAX = 6;
/** Values of one context. What comes later is left out. */
const VALUES_MAX = 200;
/** Entries of one object or list. */
const ENTRIES_MAX = 50;
const KEY_MAX_CHARS = 100;
const TEXT_MAX_CHARS = 1_000;
/** All names and texts of one context together. */
const CONTEXT_MAX_CHARS = 8_000;

const TOO_DEEP = "[…]";
const PERSONAL = "[personal]";
const NOTHING: Context = Object.freeze({});

/** What is left of the limits, for the context that is being copied. */
export type Budget = { values: number; chars: number; inside: Inside | null };
/** The object that is being copied, and those around it. */
type Inside = { readonly value: object; readonly outer: Inside | null; readonly depth: number };

export const fullBudget = (): Budget => ({
  values: VALUES_MAX,
  chars: CONTEXT_MAX_CHARS,
  inside: null,
});

/** Memory of one value besides its characters, with the shape of the object that it makes. */
const VALUE_BYTES = 150;

/** Of the context that used the budget up so far, an upper estimate. */
export const usedBytes = ({ values, chars }: Budget): number =>
  VALUE_BYTES * (VALUES_MAX - values) + 2 * (CONTEXT_MAX_CHARS - chars);

export function keptContext(context: unknown, scrubber: Scrubber, budget: Budget): Context {
  if (context === undefined || context === null) return NOTHING;
  budget.values--;
  const copy = copyOf(context, scrubber, budget);
  if (typeof copy === "object" && copy !== null && !Array.isArray(copy)) return copy as Context;
  return { value: copy };
}

function copyOf(value: unknown, scrubber: Scrubber, budget: Budget): ContextValue {
  switch (typeof value) {
    case "string":
      return textOf(value, scrubber, budget);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return textOf(`${value}`, scrubber, budget);
    case "symbol":
      return textOf(asText(value), scrubber, budget);
    case "function":
      return "[function]";
    case "undefined":
      return null;
    default:
      return value === null ? null : copyOfObject(value as object, scrubber, budget);
  }
}

function textOf(text: string, scrubber: Scrubber, budget: Budget): string {
  if (budget.chars <= 0) return "…";
  const kept = scrubber.start(text, Math.min(TEXT_MAX_CHARS, budget.chars));
  budget.chars -= kept.length;
  return kept;
}

function copyOfObject(value: object, scrubber: Scrubber, budget: Budget): ContextValue {
  const outer = budget.inside;
  const depth = outer === null ? 1 : outer.depth + 1;
  if (depth > DEPTH_MAX) return TOO_DEEP;
  for (let around = outer; around !== null; around = around.outer) {
    if (around.value === value) return "[circular]";
  }
  budget.inside = { value, outer, depth };
  try {
    return copyOfEntries(value, scrubber, budget);
  } catch {
    return UNREADABLE;
  } finally {
    budget.inside = outer;
  }
}

function copyOfEntries(value: object, scrubber: Scrubber, budget: Budget): ContextValue {
  if (Array.isArray(value)) return copyOfList(value, value.length, scrubber, budget);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Date || value instanceof URL || value instanceof RegExp) {
      return textOf(value instanceof Date ? isoOf(value) : String(value), scrubber, budget);
    }
    if (value instanceof Set) {
      return copyOfList([...first(value)], Math.min(value.size, ENTRIES_MAX), scrubber, budget);
    }
    if (isEntries(value)) return copyOfPairs(first(value), scrubber, budget);
    if (value instanceof Error) return copyOfError(value, scrubber, budget);
  }
  const copy: Record<string, ContextValue> = {};
  const keys = Object.keys(value);
  const size = Math.min(keys.length, ENTRIES_MAX);
  for (let index = 0; index < size && budget.values > 0; index++) {
    const key = keys[index] as string;
    let entry: unknown = UNREADABLE;
    try {
      entry = (value as Record<string, unknown>)[key];
    } catch {
      // A getter that throws: its name is kept, and that it could not be read.
    }
    putEntry(copy, key, entry, scrubber, budget);
  }
  return copy;
}

const isoOf = (date: Date) => (Number.isNaN(date.getTime()) ? "Invalid Date" : date.toISOString());

const isEntries = (value: object): value is Map<unknown, unknown> | Headers | URLSearchParams =>
  value instanceof Map || value instanceof Headers || value instanceof URLSearchParams;

function* first<T>(values: Iterable<T>): Generator<T> {
  let left = ENTRIES_MAX;
  for (const value of values) {
    if (left-- <= 0) return;
    yield value;
  }
}

function copyOfList(
  list: readonly unknown[],
  size: number,
  scrubber: Scrubber,
  budget: Budget,
): ContextValue {
  const copy: ContextValue[] = [];
  const hasNames = isHeaders(list);
  for (let index = 0; index < Math.min(size, ENTRIES_MAX) && budget.values > 0; index++) {
    budget.values--;
    const name = hasNames && index % 2 === 1 ? list[index - 1] : undefined;
    const meaning = typeof name === "string" ? scrubber.key(name, KEY_MAX_CHARS).meaning : "plain";
    copy.push(keptValue(meaning, list[index], scrubber, budget));
  }
  return copy;
}

const HEADER_NAME = /^[a-z]+(?:-[a-z0-9]+)*$/i;

/** `rawHeaders` of Node: names and values by turns. Names alone, as of headers that are allowed, are no values. */
function isHeaders(list: readonly unknown[]): boolean {
  if (list.length % 2 !== 0) return false;
  let hasValue = false;
  for (let index = 0; index < Math.min(list.length, ENTRIES_MAX); index++) {
    const text = list[index];
    if (typeof text !== "string") return false;
    const isName = text.length <= KEY_MAX_CHARS && HEADER_NAME.test(text);
    if (index % 2 === 0 && !isName) return false;
    if (!isName) hasValue = true;
  }
  return hasValue;
}

function copyOfPairs(
  pairs: Iterable<readonly [unknown, unknown]>,
  scrubber: Scrubber,
  budget: Budget,
): ContextValue {
  const copy: Record<string, ContextValue> = {};
  for (const [key, entry] of pairs) {
    if (budget.values <= 0) break;
    putEntry(copy, asText(key), entry, scrubber, budget);
  }
  return copy;
}

/** Its name and message; own fields may be a whole request with its headers. */
function copyOfError(error: Error, scrubber: Scrubber, budget: Budget): ContextValue {
  budget.values -= 2;
  const { name, message } = error;
  return {
    name: textOf(asText(name), scrubber, budget),
    message: textOf(asText(message), scrubber, budget),
  };
}

function putEntry(
  copy: Record<string, ContextValue>,
  key: string,
  entry: unknown,
  scrubber: Scrubber,
  budget: Budget,
): void {
  budget.values--;
  const { meaning, name: keptName } = scrubber.key(key, KEY_MAX_CHARS);
  budget.chars -= keptName.length;
  const kept = keptValue(meaning, entry, scrubber, budget);
  // As a plain assignment this one would change what the copy is.
  if (keptName === "__proto__") {
    Object.defineProperty(copy, keptName, {
      value: kept,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else copy[keptName] = kept;
}

function keptValue(
  meaning: KeyMeaning,
  entry: unknown,
  scrubber: Scrubber,
  budget: Budget,
): ContextValue {
  if (meaning === "plain" || entry === undefined || entry === null) {
    return copyOf(entry, scrubber, budget);
  }
  if (typeof entry === "boolean" || entry === "") return entry;
  if (meaning === "token" && typeof entry === "number") return copyOf(entry, scrubber, budget);
  return meaning === "personal" ? PERSONAL : SECRET;
}
