/**
 * Reads along while an answer passes by, byte piece by byte piece, and tells what
 * can be known of it: tokens, when content began, whether a stream reported a
 * failure. It never throws, keeps nothing of what it read, and holds a bounded
 * part of it at a time. Pure: when a piece came is the caller's to know.
 */
import { createLineSplitter, LINE_CHARS_MAX } from "./line-splitter.ts";
import { carriesContent, failureCode, reportsFailure, saysDone } from "./stream-event.ts";
import { mergeTokens, readModel, readTokens, type TokenUse } from "./token-use.ts";

/** Longest answer, in bytes, that is read for its tokens. Those of a longer one are unknown. */
export const ANSWER_BYTES_MAX = 1024 * 1024;

export type AnswerKind = "events" | "json_lines" | "json" | "opaque";

export type AnswerReader = {
  readonly kind: AnswerKind;
  /** Reads the bytes before it returns and keeps no view of them. */
  push(bytes: Uint8Array): void;
  end(): void;
  /** A stream has shown content. */
  readonly hasContent: boolean;
  /** A stream of which all that came so far was read, and nothing was content. */
  readonly isEmpty: boolean;
  /** A stream has said that nothing more will come: `[DONE]` and the like. */
  readonly hasFinished: boolean;
  /** A stream has reported a failure. */
  readonly hasFailed: boolean;
  /** Of an answer or a stream that tells of a failure. */
  readonly failureCode: string | undefined;
  /** Empty when not known. */
  readonly tokens: readonly TokenUse[];
  /** Lines that were too long to be read. */
  readonly skippedLines: number;
};

const KINDS: readonly (readonly [RegExp, AnswerKind])[] = [
  [/^text\/event-stream$/, "events"],
  [
    /^application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines|jsonlines|json-lines|json-seq)$/,
    "json_lines",
  ],
  [/^application\/(?:[\w.-]+\+)?json$/, "json"],
];

export function answerKind(contentType: string | null): AnswerKind {
  const type = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  return KINDS.find(([pattern]) => pattern.test(type))?.[1] ?? "opaque";
}

/** Once content was seen, only events that may tell of tokens, failure or the end are parsed. */
const NOTABLE = /usage|error|failed|\[DONE\]|"response\.completed"|"message_stop"/i;

export function createAnswerReader(kind: AnswerKind): AnswerReader {
  if (kind === "events" || kind === "json_lines") return createStreamReader(kind);
  return createDocumentReader(kind);
}

function createStreamReader(kind: "events" | "json_lines"): AnswerReader {
  const decoder = new TextDecoder();
  let hasContent = false;
  let hasFailed = false;
  let hasFinished = false;
  let code: string | undefined;
  let tokens: readonly TokenUse[] = [];
  let model: string | undefined;
  let skippedEvents = 0;

  function take(name: string | undefined, text: string): void {
    const isControl = name !== undefined && name !== "message";
    if (hasContent && !isControl && !NOTABLE.test(text)) return;

    const event = { name, data: parse(text) };
    if (reportsFailure(event)) {
      hasFailed = true;
      code ??= failureCode(event.data);
    }
    hasContent ||= carriesContent(event);
    hasFinished ||= saysDone(event.data);
    model = readModel(event.data) ?? model;
    tokens = mergeTokens(tokens, readTokens(event.data));
  }

  const onLine = kind === "events" ? eventLines(take, () => skippedEvents++) : jsonLine(take);
  const lines = createLineSplitter(onLine);

  return {
    kind,
    push: (bytes) => lines.push(decoder.decode(bytes, { stream: true })),
    end() {
      lines.push(decoder.decode());
      lines.end();
      // A server that forgets the blank line at the end has said its last event all the same.
      onLine("");
    },
    get hasContent() {
      return hasContent;
    },
    get isEmpty() {
      return !hasContent && lines.skippedLines + skippedEvents === 0;
    },
    get hasFinished() {
      return hasFinished;
    },
    get hasFailed() {
      return hasFailed;
    },
    get failureCode() {
      return code;
    },
    get tokens() {
      return tokens.map((use) => ({ ...use, model: use.model ?? model }));
    },
    get skippedLines() {
      return lines.skippedLines + skippedEvents;
    },
  };
}

/**
 * Server-sent events: `data` lines up to a blank line make one.
 *
 * Source: WHATWG HTML, "Interpreting an event stream".
 */
function eventLines(take: (name: string | undefined, data: string) => void, skip: () => void) {
  let name: string | undefined;
  let data: string[] = [];
  let dataChars = 0;

  return (line: string): void => {
    if (line === "") {
      if (dataChars > LINE_CHARS_MAX) skip();
      else if (data.length > 0) take(name, data.join("\n"));
      name = undefined;
      data = [];
      dataChars = 0;
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") name = value;
    if (field !== "data") return;
    dataChars += value.length + 1;
    if (dataChars > LINE_CHARS_MAX) data = [];
    else data.push(value);
  };
}

function jsonLine(take: (name: string | undefined, data: string) => void) {
  return (line: string): void => {
    // RFC 7464 puts a record separator before each text.
    const text = line.startsWith("\u001e") ? line.slice(1) : line;
    if (text.trim() !== "") take(undefined, text);
  };
}

/** An answer in one piece. It is held until its end, up to the limit. */
function createDocumentReader(kind: "json" | "opaque"): AnswerReader {
  const decoder = new TextDecoder();
  let text: string[] = [];
  let sizeBytes = 0;
  let answer: unknown;

  return {
    kind,
    push(bytes) {
      if (kind === "opaque") return;
      sizeBytes += bytes.byteLength;
      if (sizeBytes > ANSWER_BYTES_MAX) text = [];
      else text.push(decoder.decode(bytes, { stream: true }));
    },
    end() {
      if (kind === "opaque" || sizeBytes > ANSWER_BYTES_MAX) return;
      text.push(decoder.decode());
      answer = parse(text.join(""));
      text = [];
    },
    hasContent: false,
    isEmpty: false,
    hasFinished: false,
    hasFailed: false,
    get failureCode() {
      return failureCode(answer);
    },
    get tokens() {
      return readTokens(answer);
    },
    skippedLines: 0,
  };
}

/** The JSON, or the text as it stands. */
function parse(text: string): unknown {
  const first = text.trimStart()[0];
  if (first === undefined) return undefined;
  if (!'{["-0123456789tfn'.includes(first)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
