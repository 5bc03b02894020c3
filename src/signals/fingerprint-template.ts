/**
 * Takes out of a message what varies from call to call – ids, numbers, addresses,
 * paths, quoted values – and leaves what names the cause. One pass, left to right,
 * into a buffer that is used again for every message: it runs for every error
 * that a service tracks.
 */

/** Characters of a message that are read. What comes later tells the cause no better. */
const READ_MAX_CHARS = 4_096;
/** Characters of a template that are kept. */
export const TEMPLATE_MAX_CHARS = 300;
/** Longest quoted value that is taken as one. */
const QUOTED_MAX_CHARS = 500;
/** A path goes on for at most this long. */
const PATH_MAX_CHARS = 1_000;
/** Letters before the digits of an id such as `order-17`. */
const ID_PREFIX_MAX_CHARS = 10;

/** The template of the last message. A placeholder is longer than the digit it stands for. */
export const units = new Uint16Array(4 * READ_MAX_CHARS);

const OTHER = 0;
const SPACE = 1;
const LETTER = 2;
const DIGIT = 3;

/** Everything beyond ASCII is a letter: no id is written in it. */
const kinds = new Uint8Array(128);
for (let code = 0; code <= 32; code++) kinds[code] = SPACE;
for (let code = 65; code <= 90; code++) kinds[code] = LETTER;
for (let code = 97; code <= 122; code++) kinds[code] = LETTER;
for (let code = 48; code <= 57; code++) kinds[code] = DIGIT;
kinds[95] = LETTER;

/** Beyond the end of a text there is no character. Asking for one there makes V8 ten times as slow. */
const NO_CODE = 0x10000;
const codeAt = (text: string, at: number): number =>
  at < text.length ? text.charCodeAt(at) : NO_CODE;

const kindAt = (text: string, at: number): number => {
  const code = codeAt(text, at);
  return code < 128 ? (kinds[code] as number) : code > 0xffff ? OTHER : LETTER;
};
const isWordAt = (text: string, at: number) => kindAt(text, at) >= LETTER;

const placeholder = (text: string) => Uint16Array.from(text, (char) => char.charCodeAt(0));
const TEXT = placeholder("‹text›");
const URL_ = placeholder("‹url›");
const PATH = placeholder("‹path›");
const ADDRESS = placeholder("‹address›");
const ID = placeholder("‹id›");
const NUMBER = placeholder("‹n›");

/** Each writes from `at` on and returns the place after what it wrote. */
function put(at: number, what: Uint16Array): number {
  for (let index = 0; index < what.length; index++) units[at + index] = what[index] as number;
  return at + what.length;
}

function putText(at: number, text: string, from: number, to: number): number {
  for (let index = from; index < to; index++) units[at + index - from] = text.charCodeAt(index);
  return at + to - from;
}

/** Writes the template of `message` to `units` and returns how many of them it takes. */
export function writeTemplate(message: string): number {
  const end = Math.min(message.length, READ_MAX_CHARS);
  let length = 0;
  let at = 0;
  /** Where the run of name and address characters that `at` stands in began, in `units`. */
  let runStart = 0;
  let wordStart = 0;
  let wordEnd = 0;
  let isAfterCodeKey = false;

  while (at < end && length < TEMPLATE_MAX_CHARS) {
    const code = message.charCodeAt(at);
    const kind = code < 128 ? (kinds[code] as number) : LETTER;

    if (kind === LETTER) {
      const start = at;
      const startLength = length;
      let digits = 0;
      for (; at < end; at++) {
        const unit = message.charCodeAt(at);
        const unitKind = unit < 128 ? (kinds[unit] as number) : LETTER;
        if (unitKind < LETTER) break;
        if (unitKind === DIGIT) digits++;
        units[length++] = unit;
      }
      const next = codeAt(message, at);
      if (next === 58 /* : */) {
        const past = addressEnd(message, start, at, end);
        if (past > 0) {
          length = put(startLength, placeholderOf);
          at = past;
          continue;
        }
      }
      const isCompound = next === 45 /* - */ || next === 35; /* # */
      if (isCompound && isId(message, start, at, digits)) {
        length = put(startLength, ID);
        at = compoundEnd(message, at, end);
      } else if (digits > 0 && !isCode(message, start, wordStart, wordEnd)) {
        length = putWithoutDigits(startLength, message, start, at, digits);
      } else {
        wordStart = start;
        wordEnd = at;
      }
      continue;
    }

    if (kind === SPACE) {
      if (length > 0 && units[length - 1] !== 32) units[length++] = 32;
      at++;
      runStart = length;
      continue;
    }

    if (kind === DIGIT) {
      const start = at;
      if (codeAt(message, at + 8) === 45 && isUuid(message, at)) {
        length = put(length, ID);
        at += 36;
        continue;
      }
      at = numberEnd(message, start, end);
      if (at - start === 3 && isStatus(message, start, end, wordStart, wordEnd)) {
        length = putText(length, message, start, at);
      } else if (isWordAt(message, at) && at < end) {
        const past = compoundEnd(message, at, end);
        if (isCode(message, start, wordStart, wordEnd)) {
          length = putText(length, message, start, past);
          at = past;
        } else if (isIdFromDigit(message, start, at, past)) {
          length = put(length, ID);
          at = past;
        } else {
          length = put(length, NUMBER);
        }
      } else if (codeAt(message, at) === 58 || codeAt(message, start + 4) === 58) {
        const past = ipv6End(message, start, end);
        length = put(length, past > 0 ? ADDRESS : NUMBER);
        if (past > 0) at = past;
      } else {
        length = put(length, NUMBER);
      }
      continue;
    }

    switch (code) {
      case 34: // "
      case 39: // '
      case 96: {
        // `
        const close =
          code === 39 && at > 0 && isWordAt(message, at - 1) ? -1 : closing(message, at, end);
        if (close < 0) break;
        const after = message.charCodeAt(close + 1);
        if (after === 58 && close - at < 40 && isKey(message, at)) {
          // A key of a JSON object or a Python dict.
          length = putText(length, message, at, close + 1);
          wordStart = at + 1;
          wordEnd = close;
          isAfterCodeKey = codeKeys.has(message.slice(at + 1, close));
        } else {
          if (isAfterCodeKey && isName(message, at + 1, close))
            length = putText(length, message, at, close + 1);
          else length = put(length, TEXT);
          isAfterCodeKey = false;
        }
        at = close + 1;
        runStart = length;
        continue;
      }
      case 47: {
        // /
        const isInside = at > 0 && (isWordAt(message, at - 1) || message.charCodeAt(at - 1) === 46);
        const past = pathEnd(message, at, end, isInside);
        if (past > 0) {
          if (isInside) length = put(runStart, PATH);
          at = past;
          continue;
        }
        break;
      }
      case 64: // @
        if (length > runStart && isWordAt(message, at + 1)) {
          length = put(runStart, ADDRESS);
          at = hostEnd(message, at + 1, end);
          continue;
        }
        break;
      case 45: // -
      case 43: // +
        // A sign, not a dash inside a name.
        if (kindAt(message, at + 1) === DIGIT && (at === 0 || !isWordAt(message, at - 1))) {
          at++;
          continue;
        }
        break;
      case 58: {
        // :
        const past = message.charCodeAt(at + 1) === 58 ? ipv6End(message, at, end) : 0;
        if (past > 0) {
          length = put(length, ADDRESS);
          at = past;
          continue;
        }
        break;
      }
    }
    units[length++] = code;
    at++;
    // Inside names, hosts and addresses of people: . - + %
    if (code !== 46 && code !== 45 && code !== 43 && code !== 37) runStart = length;
  }
  if (length > 0 && units[length - 1] === 32) length--;
  return Math.min(length, TEMPLATE_MAX_CHARS);
}

/** Whether the quoted text at `open` begins an entry of an object: `{"a": …` or `, 'a': …`. */
function isKey(text: string, open: number): boolean {
  let at = open - 1;
  while (at >= 0 && open - at < 60 && kindAt(text, at) === SPACE) at--;
  const before = at < 0 ? NO_CODE : text.charCodeAt(at);
  return before === 123 || before === 44 || before === 92; // { , \
}

/** Keys whose value names the cause. */
const codeKeys = new Set(["code", "error_code", "errorCode", "type", "error", "reason", "status"]);

/** What `addressEnd` found. */
let placeholderOf = URL_;

/** Past the URL, Windows path or IPv6 address whose first word ends at the colon `at`, or 0. */
function addressEnd(text: string, start: number, at: number, end: number): number {
  const first = text.charCodeAt(at + 1);
  const second = text.charCodeAt(at + 2);
  if (first === 47 && second === 47) {
    placeholderOf = URL_;
    return runEnd(text, at + 3, end);
  }
  if (at - start === 1 && (first === 92 || first === 47)) {
    placeholderOf = PATH;
    return runEnd(text, at + 2, end);
  }
  placeholderOf = ADDRESS;
  return at - start <= 4 ? ipv6End(text, start, end) : 0;
}

/** Past everything up to a space, quote or closing bracket. */
function runEnd(text: string, from: number, end: number): number {
  let at = from;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code <= 32 || code === 34 || code === 39 || code === 96) break;
    if (code === 41 || code === 62 || code === 93 || code === 125) break; // ) > ] }
  }
  return at;
}

function hostEnd(text: string, from: number, end: number): number {
  let at = from;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    const isInner = (code === 46 || code === 45) && isWordAt(text, at + 1);
    if (!isInner && !isWordAt(text, at)) break;
  }
  return at;
}

/** Past the rest of a name in which words are joined by dashes. */
function compoundEnd(text: string, from: number, end: number): number {
  let at = from;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    const isJoint = (code === 45 || code === 35) && isWordAt(text, at + 1);
    if (!isJoint && !isWordAt(text, at)) break;
  }
  return at;
}

/**
 * Past a path that begins with the slash `at`, or 0. From the root it has two
 * parts; `isInside` a relative one it has two more, or ends like a file.
 */
function pathEnd(text: string, at: number, end: number, isInside: boolean): number {
  const limit = Math.min(end, at + PATH_MAX_CHARS);
  let parts = 0;
  let dot = 0;
  let past = at;
  while (past < limit && text.charCodeAt(past) === 47) {
    let next = past + 1;
    for (; next < limit; next++) {
      const code = text.charCodeAt(next);
      if (code === 46) dot = next;
      const isInner =
        code === 46 ||
        code === 45 ||
        code === 64 ||
        code === 126 ||
        code === 37 ||
        code === 43 ||
        code === 61;
      if (!isInner && !isWordAt(text, next)) break;
    }
    if (next === past + 1) break;
    if (dot < past) dot = 0;
    past = next;
    parts++;
  }
  if (parts >= 2) return past;
  const extension = past - dot - 1;
  const isFile = isInside && parts === 1 && dot > at + 1 && extension >= 1 && extension <= 5;
  return isFile && kindAt(text, dot + 1) === LETTER ? past : 0;
}

/** The quote that closes the one at `open`, on the same line; an apostrophe closes nothing. */
function closing(text: string, open: number, end: number): number {
  const quote = text.charCodeAt(open);
  const limit = Math.min(end, open + QUOTED_MAX_CHARS + 2);
  for (let at = open + 1; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code === 10) return -1;
    if (code === quote && (quote !== 39 || !isWordAt(text, at + 1))) return at;
  }
  return -1;
}

function isName(text: string, from: number, to: number): boolean {
  if (to - from > 60) return false;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (kindAt(text, at) !== LETTER && code !== 45 && code !== 46) return false;
  }
  return true;
}

/** `order-17`, `A#9`, or a UUID: the word `start` to `at` before a dash. */
function isId(text: string, start: number, at: number, digits: number): boolean {
  if (at - start === 8 && isUuid(text, start)) return true;
  return digits === 0 && at - start <= ID_PREFIX_MAX_CHARS && kindAt(text, at + 1) === DIGIT;
}

const isHex = (code: number) =>
  (code >= 48 && code <= 57) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);

function isUuid(text: string, start: number): boolean {
  for (let index = 0; index < 36; index++) {
    const code = text.charCodeAt(start + index);
    const isDash = index === 8 || index === 13 || index === 18 || index === 23;
    if (isDash ? code !== 45 : !isHex(code)) return false;
  }
  return !isWordAt(text, start + 36);
}

/** Past an IPv6 address, or 0: eight groups, or fewer with `::` and a digit in them. */
function ipv6End(text: string, start: number, end: number): number {
  let colons = 0;
  let group = 0;
  let digits = 0;
  let hasGap = false;
  let at = start;
  for (; at < end && at - start < 46; at++) {
    const code = text.charCodeAt(at);
    if (code === 58) {
      if (text.charCodeAt(at - 1) === 58 && at > start) {
        if (hasGap) return 0;
        hasGap = true;
      }
      colons++;
      group = 0;
    } else if (isHex(code)) {
      if (++group > 4) return 0;
      if (code <= 57) digits++;
    } else break;
  }
  if (isWordAt(text, at)) return 0;
  const isAddress = hasGap ? digits > 0 : colons === 7 && group > 0;
  return isAddress ? at : 0;
}

/** Past a number, a time, a date, a version or an IPv4 address with its port. */
function numberEnd(text: string, start: number, end: number): number {
  let at = start + 1;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) continue;
    const next = codeAt(text, at + 1);
    const isBeforeDigit = next >= 48 && next <= 57;
    // . , : - + T
    const isJoint = code === 46 || code === 44 || code === 58 || code === 45 || code === 43;
    if (isBeforeDigit && (isJoint || code === 84)) continue;
    const isExponent = code === 101 || code === 69;
    if (isExponent && (next === 45 || next === 43) && kindAt(text, at + 2) === DIGIT) {
      at++;
      continue;
    }
    if (isExponent && isBeforeDigit && isPlainNumber(text, at + 1, end)) continue;
    if (code === 90 && at - start >= 8 && !isWordAt(text, at + 1)) return at + 1; // …Z
    break;
  }
  return at;
}

/** `1e5` is a number and `1e5af` an id. */
function isPlainNumber(text: string, from: number, end: number): boolean {
  let at = from;
  while (at < end && at - from < 4 && kindAt(text, at) === DIGIT) at++;
  return at - from < 4 && !isWordAt(text, at) && text.charCodeAt(at) !== 45;
}

/** `0x7f3a`, `3f2a9c1b-…` and `9aB3c` are ids; `12ms` and `5xx` are a number and a word. */
function isIdFromDigit(text: string, start: number, at: number, past: number): boolean {
  if ((text.charCodeAt(at) | 32) === 120 && at - start === 1 && isHex(text.charCodeAt(at + 1))) {
    return true;
  }
  let isAllHex = true;
  for (let index = at; index < past; index++) {
    if (kindAt(text, index) === DIGIT) return true;
    if (!isHex(text.charCodeAt(index))) isAllHex = false;
  }
  return isAllHex && past - start >= 8;
}

/** A word with digits: an id as a whole, or a name with numbers in it. */
function putWithoutDigits(
  to: number,
  text: string,
  start: number,
  end: number,
  digits: number,
): number {
  let turns = 0;
  let isAllHex = true;
  let isAfterJoint = false;
  let previous = LETTER;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    const kind = kindAt(text, at);
    if (kind === DIGIT && previous !== DIGIT) {
      turns++;
      if (at > start && text.charCodeAt(at - 1) === 95) isAfterJoint = true;
    }
    if (isAllHex && !isHex(code)) isAllHex = false;
    previous = kind;
  }
  const size = end - start;
  if (turns > 1 || isAfterJoint || (isAllHex && size >= 8) || (size >= 20 && digits >= 3)) {
    return put(to, ID);
  }
  let length = to;
  previous = LETTER;
  for (let at = start; at < end; at++) {
    const kind = kindAt(text, at);
    if (kind !== DIGIT) units[length++] = text.charCodeAt(at);
    else if (previous !== DIGIT) length = put(length, NUMBER);
    previous = kind;
  }
  return length;
}

/** Words after which a name with digits is an error's code: `error E1001`, `SQLSTATE 42P01`. */
const codeWords = new Set(["code", "error", "errno", "sqlstate"]);

/** Between a word and what it speaks of stand a space, a colon, an equals sign or a bracket. */
const GAP_MAX_CHARS = 3;

function wordBefore(text: string, at: number, wordStart: number, wordEnd: number): string {
  const gap = at - wordEnd;
  if (gap < 1 || gap > GAP_MAX_CHARS || wordEnd - wordStart > 60) return "";
  for (let index = wordEnd; index < at; index++) {
    const code = text.charCodeAt(index);
    // Anything else ends the sentence: . , ; !
    if (code === 46 || code === 44 || code === 59 || code === 33) return "";
  }
  return text.slice(wordStart, wordEnd).toLowerCase();
}

function isCode(text: string, start: number, wordStart: number, wordEnd: number): boolean {
  const size = wordEnd - wordStart;
  if (size < 4 || size > 8) return false;
  return codeWords.has(wordBefore(text, start, wordStart, wordEnd));
}

/** After these a number between 100 and 599 is an HTTP status, whatever follows. */
const statusWords = new Set([
  "status",
  "status_code",
  "statuscode",
  "http_status",
  "code",
  "http",
  "https",
  "error_code",
]);
/** After these it is one unless it counts something: `returned 503`, never `returned 503 rows`. */
const answerWords = new Set([
  "error",
  "answered",
  "answer",
  "responded",
  "response",
  "returned",
  "returns",
  "received",
  "got",
  "gave",
  "with",
  "a",
  "an",
  "by",
  "failed",
  "failure",
  "was",
  "is",
]);
/** What follows a status, in the words of HTTP and of people. */
const reasonWords = new Set([
  ...[
    "bad",
    "unauthorized",
    "forbidden",
    "not",
    "method",
    "request",
    "conflict",
    "gone",
    "payload",
  ],
  ...[
    "unprocessable",
    "too",
    "internal",
    "service",
    "gateway",
    "server",
    "client",
    "error",
    "errors",
  ],
  ...[
    "from",
    "for",
    "on",
    "when",
    "while",
    "at",
    "response",
    "responses",
    "status",
    "and",
    "after",
  ],
]);

/** Whether the three digits at `start` are an HTTP status, by the words around them. */
function isStatus(
  text: string,
  start: number,
  end: number,
  wordStart: number,
  wordEnd: number,
): boolean {
  const first = text.charCodeAt(start);
  if (first < 49 || first > 53) return false;
  if (kindAt(text, start + 1) !== DIGIT || kindAt(text, start + 2) !== DIGIT) return false;
  const at = start + 3;
  const next = at < end ? text.charCodeAt(at) : 32;
  if (at < end && (isWordAt(text, at) || next === 37)) return false;
  const before = wordBefore(text, start, wordStart, wordEnd) || httpBefore(text, start, wordEnd);
  if (statusWords.has(before)) return true;
  if (first < 52) return false;

  const word = wordAfter(text, at, end);
  if (reasonWords.has(word.toLowerCase())) return true;
  if (start === 0) return word === "" || word.charCodeAt(0) <= 90;
  if (word !== "") return false;
  if (answerWords.has(before) || /(?:error|exception|status)$/.test(before)) return true;
  const previous = text.charCodeAt(start - 1);
  return (previous === 40 && next === 41) || (previous === 91 && next === 93);
}

/** `HTTP/1.1 429` and `HTTP/2 429` */
function httpBefore(text: string, start: number, wordEnd: number): string {
  const gap = start - wordEnd;
  const isHttp = text.charCodeAt(wordEnd) === 47 && gap >= 3 && gap <= 5;
  return isHttp && text.slice(wordEnd - 4, wordEnd).toLowerCase() === "http" ? "http" : "";
}

/** The word one space further, or nothing. */
function wordAfter(text: string, at: number, end: number): string {
  if (text.charCodeAt(at) !== 32) return "";
  let past = at + 1;
  while (past < end && past - at < 16 && kindAt(text, past) === LETTER) past++;
  return text.slice(at + 1, past);
}
