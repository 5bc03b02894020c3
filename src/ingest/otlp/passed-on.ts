/**
 * A request as it is passed on to another receiver: as it came, without secrets, and without
 * prompts and answers unless those were asked for. What need not change is not copied, fields
 * that are not known here stay, and attributes that are left out are counted where OTLP
 * counts them.
 */
import { scrub } from "../../signals/scrub.ts";
import { knownMeaning, SECRET } from "../../signals/scrub-secrets.ts";
import { holds, newTextTable, remember, slotOf, TEXT_BYTES_MAX } from "../../signals/text-table.ts";
import { edited, lengthField, newByteEdit, numberField, replace } from "./byte-edit.ts";
import { isContentKey, PLAIN_VALUE_BYTES_MAX } from "./content-keys.ts";
import { jsonToProtobuf } from "./json-to-protobuf.ts";
import {
  counted,
  event,
  type Field,
  keyValue,
  type Message,
  metricsRequest,
  span,
  status,
  traceRequest,
} from "./otlp-messages.ts";
import {
  type Cursor,
  LENGTH,
  readLength,
  readTag,
  readVarint,
  skipField,
  TWO_TO_32,
  VARINT,
} from "./protobuf-cursor.ts";
import { remembering } from "./remembering.ts";

export type Signal = "traces" | "metrics";

export type PassedOn = {
  /** Protobuf. None of the received bytes is in it. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Spans or data points. */
  readonly items: number;
};

/** Longest text that is passed on, in UTF-16 units; the rest of a longer one is left out. */
export const TEXT_MAX_CHARS = 65_536;
/** Where a text was cut may stand the beginning of a secret that can't be recognised. */
const UNSURE_CHARS = 4_096;
/** Deepest nesting of a message: what lies below is left out. */
const DEPTH_MAX = 100;

const requests: Readonly<Record<Signal, Message>> = {
  traces: traceRequest,
  metrics: metricsRequest,
};

/**
 * @param received protobuf, or JSON as text.
 * @param content whether prompts and answers go with it.
 * @throws Error when it can't be read.
 */
export function passedOn(
  received: Uint8Array | string,
  { signal, content }: { readonly signal: Signal; readonly content: boolean },
): PassedOn {
  const message = requests[signal];
  const body = typeof received === "string" ? jsonToProtobuf(received, message) : received;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const rewriting: Rewriting = { body, view, at: 0, low: 0, high: 0, content, items: 0 };
  const changed = rewritten(rewriting, message, { end: body.length, depth: 0, quotes: false });
  return { body: changed ?? new Uint8Array(body), items: rewriting.items };
}

type Rewriting = Cursor & {
  readonly content: boolean;
  /** Spans or data points that were met. */
  items: number;
};

type Around = {
  readonly end: number;
  readonly depth: number;
  /** In a span whose error quotes an answer that could not be read. */
  readonly quotes: boolean;
};

/** The message as it may be passed on; `null` when it may be as it is. */
function rewritten(
  rewriting: Rewriting,
  message: Message,
  { end, depth, quotes }: Around,
): Uint8Array<ArrayBuffer> | null {
  const { body } = rewriting;
  if (counted.has(message)) rewriting.items++;
  const around = {
    depth: depth + 1,
    quotes: quotes || (message === span && quotesAnswer(body.subarray(rewriting.at, end))),
  };
  const fields = message.fields();
  const edit = newByteEdit(body, rewriting.at);
  let leftOut = 0;
  let leftOutBefore = 0;
  while (rewriting.at < end) {
    const start = rewriting.at;
    const tag = readTag(rewriting, end);
    const field = fields.get(tag >>> 3);
    if (field?.number === message.leftOutField && (tag & 7) === VARINT) {
      readVarint(rewriting, end);
      leftOutBefore = rewriting.high * TWO_TO_32 + rewriting.low;
    } else if (!field || (tag & 7) !== LENGTH) {
      skipField(rewriting, tag, end);
    } else {
      const size = readLength(rewriting, end);
      const valueEnd = rewriting.at + size;
      const fate = fateOf(rewriting, { field, message, ...around, end: valueEnd });
      rewriting.at = valueEnd;
      if (fate === "goes") {
        replace(edit, { start, end: valueEnd });
        leftOut++;
      } else if (fate !== "stays") {
        replace(edit, { start, end: valueEnd }, lengthField(field.number, fate));
      }
    }
  }
  if (leftOut > 0 && message.leftOutField !== null) {
    // Of a number that comes twice the last counts.
    replace(edit, { start: end, end }, numberField(message.leftOutField, leftOutBefore + leftOut));
  }
  return edited(edit, end);
}

/** What becomes of a field; bytes are its new value. */
type Fate = "stays" | "goes" | Uint8Array;

type Met = Around & { readonly field: Field; readonly message: Message };

/** Of the field whose value begins where the cursor is. */
function fateOf(rewriting: Rewriting, { field, message, end, depth, quotes }: Met): Fate {
  if (field.type === keyValue) {
    const start = rewriting.at;
    const fate = attributeFate(rewriting, { message, end, quotes });
    if (fate !== "stays") return fate;
    rewriting.at = start;
  }
  if (typeof field.type !== "string") {
    if (depth > DEPTH_MAX) return "goes";
    return rewritten(rewriting, field.type, { end, depth, quotes }) ?? "stays";
  }
  if (field.type !== "string") return "stays";
  const { body, view, at } = rewriting;
  if (message === status && !rewriting.content) {
    const text = textIn(body, at, end);
    const clean = cleanText(statusWords(text, quotes));
    return clean === text ? "stays" : encoder.encode(clean);
  }
  const sizeBytes = end - at;
  const slot = sizeBytes <= TEXT_BYTES_MAX ? slotOf(view, at, sizeBytes) : -1;
  if (slot >= 0 && holds(staying, slot, view, at, sizeBytes)) return "stays";
  const text = textIn(body, at, end);
  const clean = cleanText(text);
  if (clean !== text) return encoder.encode(clean);
  if (slot >= 0) remember(staying, slot, view, at, sizeBytes, text);
  return "stays";
}

/** Short texts that are passed on as they are. */
const staying = newTextTable();

// ─── Attributes ───────────────────────────────────────────────────────────────

/** Of an attribute as a whole; the texts in one that stays are looked at one by one. */
function attributeFate(
  rewriting: Rewriting,
  {
    message,
    end,
    quotes,
  }: { readonly message: Message; readonly end: number; readonly quotes: boolean },
): Fate {
  const { key, valueBytes, textStart, textEnd } = readAttribute(rewriting, end);
  const text = () => textIn(rewriting.body, textStart, textEnd);
  const become = (value: string) => attribute(cleanText(key), value);
  const meaning = names.has(key) ? "plain" : knownMeaning(key);
  if (meaning === "password" || meaning === "secret") return become(SECRET);
  // A number is a count or a place.
  if (meaning === "token" && textStart >= 0) return become(SECRET);
  if (rewriting.content) return "stays";

  if (message === event && key === "exception.stacktrace") return become(framesOf(text()));
  if (message === event && key === "exception.message") {
    return become(cleanText(ownWords(text(), quotes)));
  }
  return isContentKey(key) || valueBytes > PLAIN_VALUE_BYTES_MAX ? "goes" : "stays";
}

/** In OpenTelemetry's conventions these name a conversation; whoever knows one can't enter with it. */
const names: ReadonlySet<string> = new Set(["session.id", "session.previous_id"]);

const KEY = (1 << 3) | LENGTH;
const VALUE = (2 << 3) | LENGTH;
const STRING_VALUE = (1 << 3) | LENGTH;

/** Of what comes twice the last counts, as everywhere in protobuf. */
function readAttribute(
  rewriting: Rewriting,
  end: number,
): {
  readonly key: string;
  readonly valueBytes: number;
  /** Of a value that is a text; -1 and -1 of another. */
  readonly textStart: number;
  readonly textEnd: number;
} {
  let key = "";
  let valueBytes = 0;
  let textStart = -1;
  let textEnd = -1;
  while (rewriting.at < end) {
    const tag = readTag(rewriting, end);
    if (tag === KEY) {
      const size = readLength(rewriting, end);
      key = keyAt(rewriting, size);
      rewriting.at += size;
    } else if (tag === VALUE) {
      valueBytes = readLength(rewriting, end);
      const valueEnd = rewriting.at + valueBytes;
      while (rewriting.at < valueEnd) {
        const kind = readTag(rewriting, valueEnd);
        if (kind === STRING_VALUE) {
          const size = readLength(rewriting, valueEnd);
          textStart = rewriting.at;
          textEnd = rewriting.at + size;
          rewriting.at = textEnd;
        } else {
          skipField(rewriting, kind, valueEnd);
        }
      }
    } else {
      skipField(rewriting, tag, end);
    }
  }
  return { key, valueBytes, textStart, textEnd };
}

/** Names of attributes that were met before. */
const knownKeys = newTextTable();

function keyAt({ body, view, at }: Rewriting, sizeBytes: number): string {
  if (sizeBytes > TEXT_BYTES_MAX) return textIn(body, at, at + sizeBytes);
  const slot = slotOf(view, at, sizeBytes);
  if (holds(knownKeys, slot, view, at, sizeBytes)) return knownKeys.texts[slot] ?? "";
  const key = textIn(body, at, at + sizeBytes);
  remember(knownKeys, slot, view, at, sizeBytes, key);
  return key;
}

function attribute(key: string, text: string): Uint8Array {
  const value = lengthField(1, encoder.encode(text));
  return Buffer.concat([lengthField(1, encoder.encode(key)), lengthField(2, value)]);
}

// ─── Texts ────────────────────────────────────────────────────────────────────

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Empty where it ends before it begins. */
function textIn(body: Uint8Array, start: number, end: number): string {
  return start < 0 ? "" : decoder.decode(body.subarray(start, end));
}

const cleanShort = remembering(scrub);

function cleanText(text: string): string {
  if (text.length <= TEXT_MAX_CHARS) return cleanShort(text);
  const start = scrub(text.slice(0, TEXT_MAX_CHARS));
  return start.slice(0, Math.max(0, start.length - UNSURE_CHARS)).toWellFormed();
}

/** DSPy's error about an answer that it can't read quotes the answer. */
const QUOTING_ERROR = Buffer.from("AdapterParseError");

function quotesAnswer(bytes: Uint8Array): boolean {
  const { buffer, byteOffset, byteLength } = bytes;
  return Buffer.from(buffer, byteOffset, byteLength).includes(QUOTING_ERROR);
}

/** What a library says of a failure, as far as the monitor keeps it: the first paragraph, without what it quotes. */
function ownWords(message: string, quotes: boolean): string {
  const [paragraph = ""] = message.split(/\n\s*\n/, 1);
  return quotes ? paragraph.replace(/(?: with value |: |\. )[\s\S]*$/, "") : paragraph;
}

/** `ValueError: what it says`. */
function statusWords(text: string, quotes: boolean): string {
  const [type = ""] = /^\w+: /.exec(text) ?? [];
  return type + ownWords(text.slice(type.length), quotes);
}

/** Where it failed, without the message and without the lines of the source. */
function framesOf(stack: string): string {
  const frames = stack.match(
    /^[ \t]+(?:File "[^"\n]{1,500}", line \d+[^\n]{0,200}|at [^\n]{1,500})$/gm,
  );
  return cleanText((frames ?? []).join("\n"));
}
