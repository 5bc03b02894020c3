/**
 * Removes secrets from text: those that tell by their shape what they are, and those
 * that stand where a secret does. One pass from left to right, which looks closer only
 * where a secret can stand, so that clean text costs next to nothing and hostile text
 * no more than its length.
 */
import { remember } from "./remember.ts";
import {
  AWS_SECRET_KEY_CHARS,
  awsSecretKeyStart,
  credentialEnd,
  jsonWebTokenEnd,
} from "./scrub-credential.ts";
import { type KeyMeaning, keyMeaning } from "./scrub-key.ts";

/** Stands where a secret was. */
export const SECRET = "[secret]";

/** What the names say that were seen lately. */
const meanings = new Map<string, KeyMeaning>();

export function knownMeaning(key: string): KeyMeaning {
  const known = meanings.get(key);
  if (known !== undefined) return known;
  const meaning = keyMeaning(key);
  remember(meanings, findSecret(key, 0) ? "" : key, meaning);
  return meaning;
}

export function scrubSecrets(text: string): string {
  if (!findSecret(text, 0)) return text;
  let clean = "";
  let at = 0;
  do {
    clean += text.slice(at, foundStart) + foundInstead;
    at = foundEnd;
  } while (findSecret(text, at));
  return clean + text.slice(at);
}

/** What `findSecret` found. */
let foundStart = 0;
let foundEnd = 0;
let foundInstead = SECRET;

function found(start: number, end: number, instead: string): true {
  foundStart = start;
  foundEnd = end;
  foundInstead = instead;
  return true;
}

const PLAIN = 0;
const WORD = 1;
const COLON = 2;
const EQUALS = 3;
const DASH = 4;
const TILDE = 5;

const kinds = new Uint8Array(128);
for (let code = 48; code <= 57; code++) kinds[code] = WORD;
for (let code = 65; code <= 90; code++) kinds[code] = WORD;
for (let code = 97; code <= 122; code++) kinds[code] = WORD;
kinds[58] = COLON;
kinds[61] = EQUALS;
kinds[45] = DASH;
kinds[126] = TILDE;

const isWord = (code: number) => code < 128 && kinds[code] === WORD;
/** Of names of fields: letters, digits, `_`, `-` and `.`. */
const isKeyChar = (code: number) => isWord(code) || code === 95 || code === 45 || code === 46;

/** Letters and digits without a break: no word of a language is that long, credentials are. */
const LONG_WORD_CHARS = 16;
const KEY_MAX_CHARS = 64;

/** Finds the next secret of `text` from `from` on. */
function findSecret(text: string, from: number): boolean {
  const size = text.length;
  let wordStart = from;
  let wordEnd = from;
  let tokenFailedUntil = 0;
  let isOption = false;
  let at = from;
  while (at < size) {
    const code = text.charCodeAt(at);
    const kind = code < 128 ? kinds[code] : PLAIN;
    if (kind === PLAIN) {
      at++;
      continue;
    }
    if (kind === WORD) {
      wordStart = at;
      at++;
      while (at < size && isWord(text.charCodeAt(at))) at++;
      wordEnd = at;
      // Asking beyond the end would make every such question ten times as slow.
      const next = at < size ? text.charCodeAt(at) : 0;
      const isJoined = next === 45 || next === 95 || next === 46; // - _ .
      if (isJoined || wordEnd - wordStart >= LONG_WORD_CHARS) {
        const past = credentialEnd(text, wordStart);
        if (past > 0) return found(wordStart, past, SECRET);
        if (code === 101 && wordStart >= tokenFailedUntil) {
          const token = jsonWebTokenEnd(text, wordStart);
          if (token > 0) return found(wordStart, token, SECRET);
          tokenFailedUntil = keyCharsEnd(text, wordStart);
        }
      }
      if (wordEnd - wordStart >= LONG_WORD_CHARS) {
        const start = awsSecretKeyStart(text, from, { wordStart, wordEnd });
        if (start >= 0) return found(start, start + AWS_SECRET_KEY_CHARS, SECRET);
      }
      if (next === 32) {
        const isScheme =
          (code | 32) === 98 && (wordEnd - wordStart === 6 || wordEnd - wordStart === 5);
        const past = isScheme ? schemeValueEnd(text, wordStart, wordEnd) : 0;
        if (past > 0) return found(at + 1, past, SECRET);
        if (size - wordEnd > SAID_MIN_CHARS && (text.charCodeAt(wordEnd + 1) | 32) === 105) {
          if (findSaid(text, from, { wordStart, wordEnd })) return true;
        }
        if (isOption && isOptionValue(text, wordEnd)) {
          const value = valueEnd(text, at + 1, "password");
          if (value > at + 1) return found(at + 1, value, SECRET);
        }
        if (isOption && text.slice(wordStart, wordEnd) === "user" && findLogin(text, at + 1)) {
          return true;
        }
        isOption = false;
      }
      continue;
    }
    if (kind === COLON && text.charCodeAt(at + 1) === 47 && text.charCodeAt(at + 2) === 47) {
      if (findInUrl(text, at + 3)) return true;
      at += 3;
      continue;
    }
    if (kind === COLON || kind === EQUALS) {
      if (wordEnd > from || wordStart === from) {
        if (findValue(text, from, wordEnd, at)) return true;
      }
    } else if (kind === DASH) {
      if (text.charCodeAt(at + 1) === 45) {
        const past = privateKeyEnd(text, at);
        if (past > 0) return found(at, past, SECRET);
        isOption = true;
      } else if (isUserOption(text, at) && findLogin(text, at + 3)) {
        return true;
      }
    } else if (kind === TILDE) {
      const start = entraSecretStart(text, from, at);
      if (start >= 0) return found(start, entraCharsEnd(text, at + 1), SECRET);
    }
    at++;
  }
  return false;
}

function keyCharsEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && isKeyChar(text.charCodeAt(at)) && text.charCodeAt(at) !== 46) at++;
  return at;
}

/** Where the name that ends at `end` begins. */
function keyStart(text: string, from: number, end: number): number {
  let start = end;
  while (start > from && end - start < KEY_MAX_CHARS && isKeyChar(text.charCodeAt(start - 1)))
    start--;
  return start;
}

/** `?Signature=…` signs a URL. Elsewhere a signature says what a DSPy module takes and gives. */
function isSignedUrl(text: string, start: number, key: string): boolean {
  const before = start > 0 ? text.charCodeAt(start - 1) : 0;
  return (before === 38 || before === 63) && key.toLowerCase() === "signature"; // & ?
}

function hasLetter(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at) | 32;
    if (code >= 97 && code <= 122) return true;
  }
  return false;
}

/** Signs between a name and its value: spaces, quotes, and their escapes. */
const GAP_MAX_CHARS = 4;

/** The value of `name: value` or `name=value`, where the name is one of a secret. */
function findValue(text: string, from: number, keyEnd: number, at: number): boolean {
  if (at - keyEnd > GAP_MAX_CHARS) return false;
  let isQuotedKey = false;
  let end = keyEnd;
  // A name may end in `_` or `]`.
  for (; end < at; end++) {
    const code = text.charCodeAt(end);
    if (code === 34 || code === 39) isQuotedKey = true;
    else if (code !== 32 && code !== 92 && code !== 93 && code !== 95) return false;
  }
  const start = keyStart(text, from, keyEnd);
  // Times, ports and numbers are no names.
  const isLong = keyEnd - start > 2 || (keyEnd - start === 2 && isPw(text, start));
  if (!isLong || !hasLetter(text, start, keyEnd)) return false;
  const key = text.slice(start, keyEnd);
  const meaning = isSignedUrl(text, start, key) ? "token" : knownMeaning(key);
  if (meaning === "plain" || meaning === "personal") return false;

  let value = at + 1;
  if (text.charCodeAt(value) === 62) value++; // =>
  const gapStart = value;
  while (value - gapStart < GAP_MAX_CHARS && text.charCodeAt(value) === 32) value++;
  const isProse = !isQuotedKey && text.charCodeAt(at) === 58 && value > gapStart;
  // Of a name that only might be one of a secret: `could not refresh the token: timeout`.
  const scheme = authorizationEnd(text, value, key);
  if (scheme > 0) return found(value, scheme, `${SECRET} ${SECRET}`);
  if (text.charCodeAt(value) === 92) value++; // \"
  if (isStandIn(text, value)) return false;
  const quote = text.charCodeAt(value);
  if (quote === 34 || quote === 39) {
    const close = quotedEnd(text, value + 1, quote);
    const isEmpty =
      close - value < 2 || isHarmless(text.slice(value + 1, Math.min(close, value + 60)));
    return isEmpty ? false : found(value + 1, close, SECRET);
  }
  const past = /cookie$/i.test(key) ? lineEnd(text, value) : valueEnd(text, value, meaning);
  if (past === 0) return false;
  if (isProse && meaning !== "password" && !looksRandom(text, value, past)) {
    if (!isCompound(key) || !endsField(text, past)) return false;
  }
  return found(value, past, SECRET);
}

/** ` is ` and one sign. */
const SAID_MIN_CHARS = 5;
const SAID_PASSWORD = /^(?:password|passwd|passphrase|passcode|pwd)$/i;
/** What a sentence goes on with behind a password, and not behind what describes one. */
const AFTER_PASSWORD = /^(?:and|but|for|on|at|in|which|so|or|then|when|while)\b/i;
/** `SHA-256`, `base64`, `v2`, `8-character`, `2nd`, dates and shares have digits, too. */
const WITH_DIGITS =
  /^(?:v|sha|md|utf|aes|rsa|des|base|gpt|https?|iso|argon|pbkdf|bcrypt|scrypt|hmac|tls|ssl|pkcs|ntlm|crc|python|py|version|level|type|line|row|column|field|step|rule)[-_]?\d|^\d+[-_]?[a-z]+$|^[\d.,:/-]+%?$/i;
/** Places, references, calls and what stands in for a value: `$DB_PASSWORD`, `env:NAME`, `len=8`, `f(x)`. */
const REFERENCE = /^[/$%]|^\w+[:=.[(]/;
const PASSWORD_MIN_CHARS = 4;
const NEXT_WORD_CHARS = 8;

/**
 * `the password is hunter2`. Of a sentence, so only what no word looks like goes, and only where
 * the sentence ends, or goes on with another thought: `the password is sha256 hashed`.
 */
function findSaid(
  text: string,
  from: number,
  { wordStart, wordEnd }: { readonly wordStart: number; readonly wordEnd: number },
): boolean {
  const isSaid =
    (text.charCodeAt(wordEnd + 2) | 32) === 115 &&
    (text.charCodeAt(wordEnd + 3) === 32 || text.startsWith(": ", wordEnd + 3));
  if (!isSaid || !SAID_PASSWORD.test(text.slice(wordStart, wordEnd))) return false;
  if (knownMeaning(text.slice(keyStart(text, from, wordEnd), wordEnd)) !== "password") return false;
  let value = wordEnd + 4;
  if (text.charCodeAt(value) === 32) value++;
  if (isStandIn(text, value)) return false;
  const quote = text.charCodeAt(value);
  if (quote === 34 || quote === 39) {
    const close = quotedEnd(text, value + 1, quote);
    if (!looksSecret(text.slice(value + 1, close))) return false;
    return found(value + 1, close, SECRET);
  }
  let past = valueEnd(text, value, "password");
  while (past > value && /[.,:?]/.test(text.charAt(past - 1))) past--;
  const said = text.slice(value, past);
  if (!looksSecret(said)) return false;
  const isMore = text.charCodeAt(past) === 32;
  if (isMore && !AFTER_PASSWORD.test(text.slice(past + 1, past + 1 + NEXT_WORD_CHARS)))
    return false;
  return found(value, past, SECRET);
}

/** Letters with digits or with signs that no word has; or a number that is none of a length. */
function looksSecret(said: string): boolean {
  if (said.length < PASSWORD_MIN_CHARS || isHarmless(said)) return false;
  if (/^\d+$/.test(said)) return true;
  if (WITH_DIGITS.test(said) || REFERENCE.test(said)) return false;
  return /\d|[!@#%^&*+=~|](?!$)/.test(said);
}

/** The only name of two letters that says something. */
const isPw = (text: string, at: number) =>
  (text.charCodeAt(at) | 32) === 112 && (text.charCodeAt(at + 1) | 32) === 119;

/** `X-Api-Key`, `api_key` and `apiKey` stand in headers and data; in a sentence, names are words. */
const isCompound = (key: string) => /[-_]|[a-z][A-Z]/.test(key);

const NEXT_NAME_MAX_CHARS = 40;

/** Whether a value ends at `past`: a sentence goes on with a word, data with the name of another field. */
function endsField(text: string, past: number): boolean {
  if (text.charCodeAt(past) !== 32 || text.charCodeAt(past - 1) === 58) return true;
  let at = past + 1;
  while (at - past < NEXT_NAME_MAX_CHARS && isKeyChar(text.charCodeAt(at))) at++;
  const next = text.charCodeAt(at);
  return next === 58 || next === 61; // : =
}

const VALUE_MAX_CHARS = 8_000;

function quotedEnd(text: string, from: number, quote: number): number {
  const limit = Math.min(text.length, from + VALUE_MAX_CHARS);
  for (let at = from; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code === 92 && text.charCodeAt(at + 1) === quote) return at; // \" inside JSON inside JSON
    if (code === 92) at++;
    else if (code === quote) return at;
  }
  return limit;
}

function lineEnd(text: string, from: number): number {
  const limit = Math.min(text.length, from + VALUE_MAX_CHARS);
  let at = from;
  for (; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13 || code === 34 || code === 39) break;
  }
  return at - from >= 4 && !isHarmless(text.slice(from, Math.min(at, from + 60))) ? at : 0;
}

/** Past a value without quotes, or 0 when it is none or harmless. */
function valueEnd(text: string, from: number, meaning: KeyMeaning): number {
  const limit = Math.min(text.length, from + VALUE_MAX_CHARS);
  let isNumber = true;
  let at = from;
  for (; at < limit; at++) {
    const code = text.charCodeAt(at);
    // Space, quotes, & ;
    if (code <= 32 || code === 34 || code === 39 || code === 38 || code === 59) break;
    const isClosing = code === 44 || code === 41 || code === 125 || code === 93; // , ) } ]
    if (isClosing && endsValue(text.charCodeAt(at + 1))) {
      // The mark that we leave ends in a bracket itself.
      if (code !== 93 || text.slice(at + 1 - SECRET.length, at + 1) !== SECRET) break;
    }
    if (code < 48 || code > 57) isNumber = false;
  }
  const size = at - from;
  const sizeMin = meaning === "password" ? 1 : 4;
  if (size < sizeMin || (isNumber && meaning === "token")) return 0;
  return isHarmless(text.slice(from, Math.min(at, from + 60))) ? 0 : at;
}

/** Nothing, a space, a quote, or another bracket or stop. */
const endsValue = (code: number) =>
  !(code > 34) ||
  code === 39 ||
  code === 44 ||
  code === 41 ||
  code === 125 ||
  code === 93 ||
  code === 46;

/** Words that speak of a secret and are none. */
const harmless = new Set([
  ...["null", "none", "nil", "true", "false", "undefined", "missing", "required", "invalid"],
  ...["expired", "empty", "unset", "not", "is", "was", "must", "the", "denied", "failed", "wrong"],
  ...["unauthorized", "rejected", "revoked", "malformed", "unknown", "too", "should", "cannot"],
  ...["contains", "does", "has", "incorrect", "mismatch", "length", "or", "and", "for", "in"],
  ...["from", "to", "of", "a", "an", "field", "authentication", "verification", "validation"],
  ...["check", "reset", "changed", "redacted", "hidden", "masked", "removed", "no", "ok", "on"],
  ...["unsupported", "unavailable", "expected", "found", "absent", "present", "set", "pending"],
  ...["enabled", "disabled", "optional", "provided", "supplied", "configured", "default", "done"],
]);

const isHarmless = (value: string) =>
  isStandIn(value, 0) || harmless.has(value.toLowerCase().replace(/[.,:!?]+$/, ""));

/** Masked already, or a reference: [secret], <token>, ***, ${TOKEN}, {{secrets/scope/key}} */
function isStandIn(text: string, at: number): boolean {
  const first = text.charCodeAt(at);
  if (first === 42 || first === 60) return true;
  if (first === 36 || first === 123) return text.charCodeAt(at + 1) === 123;
  return first === 91 && (text.startsWith(SECRET, at) || text.startsWith("[personal]", at));
}

/** A digit, a capital inside, a sign that words don't have, or too long for a word. */
function looksRandom(text: string, from: number, to: number): boolean {
  if (to - from >= 24) return true;
  let past = to;
  // The end of a sentence is no part of it.
  while (past > from && !isWord(text.charCodeAt(past - 1))) past--;
  for (let at = from; at < past; at++) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) return true;
    if (code >= 65 && code <= 90 && at > from && text.charCodeAt(at - 1) >= 97) return true;
    const isLetter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code >= 128;
    if (!isLetter && code !== 45 && code !== 46 && code !== 58) return true;
  }
  return false;
}

const BEARER_MIN_CHARS = 8;

/** After which a credential comes, whatever it looks like. */
const schemes = new Set([
  ...["bearer", "basic", "token", "digest", "apikey", "negotiate", "ntlm", "hmac", "key"],
]);
/** What is said of a scheme: `Bearer token required`, `Bearer realm="…"`. */
const schemeWords = new Set([
  ...["token", "tokens", "credential", "credentials", "scheme", "challenge", "header", "auth"],
  ...["authorization", "access", "realm", "error", "scope"],
]);
const isSchemeWord = (value: string) =>
  isHarmless(value) || schemeWords.has(value.toLowerCase().replace(/[.,:!?=]+$/, ""));

/** Past the credential after `Bearer` or `Basic` without the name of a header, or 0. */
function schemeValueEnd(text: string, wordStart: number, wordEnd: number): number {
  const word = text.slice(wordStart, wordEnd).toLowerCase();
  if (word !== "bearer" && word !== "basic") return 0;
  const from = wordEnd + 1;
  let at = from;
  for (; at < text.length && at - from < VALUE_MAX_CHARS; at++) {
    const code = text.charCodeAt(at);
    // . _ ~ + / = -
    const isOther =
      code === 46 ||
      code === 95 ||
      code === 126 ||
      code === 43 ||
      code === 47 ||
      code === 61 ||
      code === 45;
    if (!isOther && !isWord(code)) break;
  }
  if (isSchemeWord(text.slice(from, Math.min(at, from + 60)))) return 0;
  if (at > from && isQuotedWhole(text, wordStart, at)) return at;
  if (at - from < BEARER_MIN_CHARS) return 0;
  const isLong = word === "bearer" && at - from >= LONG_WORD_CHARS;
  return isLong || looksRandom(text, from, at) ? at : 0;
}

/** `"Bearer …"` is the value of a header, a sentence goes on. */
function isQuotedWhole(text: string, from: number, past: number): boolean {
  const quote = from > 0 ? text.charCodeAt(from - 1) : 0;
  const end = text.charCodeAt(past);
  return (quote === 34 || quote === 39) && (end === quote || end === 92);
}

/** Past `Bearer …` as the value of an authorization header, or 0. */
function authorizationEnd(text: string, from: number, key: string): number {
  if (!/authorization$/i.test(key)) return 0;
  let at = from;
  while (at - from < 20 && isWord(text.charCodeAt(at))) at++;
  if (at === from || text.charCodeAt(at) !== 32) return 0;
  const scheme = text.slice(from, at).toLowerCase();
  if (harmless.has(scheme)) return 0;
  const past = valueEnd(text, at + 1, "secret");
  if (past === 0) return 0;
  if (!schemes.has(scheme)) return looksRandom(text, at + 1, past) ? past : 0;
  return isSchemeWord(text.slice(at + 1, Math.min(past, at + 60))) ? 0 : past;
}

/** `--password hunter2` */
function isOptionValue(text: string, keyEnd: number): boolean {
  const start = keyStart(text, 0, keyEnd);
  if (text.charCodeAt(start) !== 45 || text.charCodeAt(start + 1) !== 45) return false;
  const meaning = knownMeaning(text.slice(start + 2, keyEnd));
  const next = text.charCodeAt(keyEnd + 1);
  return meaning !== "plain" && meaning !== "personal" && next !== 45 && next !== 34 && next !== 39;
}

/** `-u user:password`, as `curl` takes it. */
function isUserOption(text: string, at: number): boolean {
  if (text.charCodeAt(at + 1) !== 117 || text.charCodeAt(at + 2) !== 32) return false;
  return at === 0 || text.charCodeAt(at - 1) <= 32;
}

/** A name, a colon and a password, maybe in quotes; two numbers are a user and a group. */
function findLogin(text: string, from: number): boolean {
  const quote = text.charCodeAt(from);
  const isQuoted = quote === 34 || quote === 39;
  const start = isQuoted ? from + 1 : from;
  let colon = start;
  while (colon - start < KEY_MAX_CHARS && isLoginChar(text.charCodeAt(colon))) colon++;
  if (colon === start || text.charCodeAt(colon) !== 58) return false;
  const past = isQuoted ? quotedEnd(text, start, quote) : valueEnd(text, start, "password");
  if (past - colon < 2 || !hasLetter(text, start, past)) return false;
  return found(start, past, SECRET);
}

const isLoginChar = (code: number) => isKeyChar(code) || code === 64; // @

const AUTHORITY_MAX_CHARS = 500;
const URL_MAX_CHARS = 2_000;
/** Where the path of the URL is the secret. */
const HOOK =
  /^(?:hooks\.|[\w.-]{1,100}\.webhook\.office\.com|(?:\w{1,20}\.)?discord(?:app)?\.com|chat\.googleapis\.com)/i;
/** A user without a password is a name when it is short, as in `ssh://git@github.com`. */
const USER_TOKEN_MIN_CHARS = 16;

/** Credentials in the URL whose authority begins at `start`. */
function findInUrl(text: string, start: number): boolean {
  const limit = Math.min(text.length, start + AUTHORITY_MAX_CHARS);
  let colon = -1;
  let sign = -1;
  let end = -1;
  let at = start;
  for (; at < limit; at++) {
    const code = text.charCodeAt(at);
    if (code <= 32 || code === 34 || code === 39 || code === 60 || code === 62) break;
    if (code === 64) sign = at;
    else if (code === 58 && colon < 0) colon = at;
    else if ((code === 47 || code === 63 || code === 35) && end < 0) {
      end = at;
      // `host:8080/…` has no password; `user:pa/ss@host` has.
      const next = text.charCodeAt(colon + 1);
      if (sign >= 0 || colon < 0 || (next >= 48 && next <= 57)) break;
    }
  }
  if (end < 0) end = at;
  if (sign > start && (colon >= 0 ? colon < sign : sign - start >= USER_TOKEN_MIN_CHARS)) {
    if (text.slice(start, sign) !== SECRET) return found(start, sign, SECRET);
  }
  const host = sign > start ? sign + 1 : start;
  if (text.charCodeAt(end) !== 47 || !HOOK.test(text.slice(host, Math.min(end, host + 120))))
    return false;
  let past = end + 1;
  while (past < text.length && past - end < URL_MAX_CHARS) {
    const code = text.charCodeAt(past);
    if (code <= 32 || code === 34 || code === 39 || code === 41 || code === 60 || code === 62)
      break;
    past++;
  }
  if (past - end < 2 || text.startsWith(SECRET, end + 1)) return false;
  return found(end + 1, past, SECRET);
}

const PRIVATE_KEY_MAX_CHARS = 16_384;

/** Past a private key in PEM, or 0. Without its end everything goes. */
function privateKeyEnd(text: string, at: number): number {
  if (!text.startsWith("-----BEGIN ", at)) return 0;
  const head = text.slice(at + 11, at + 60);
  if (!/^[A-Z0-9 ]{0,30}PRIVATE KEY/.test(head)) return 0;
  const limit = Math.min(text.length, at + PRIVATE_KEY_MAX_CHARS);
  const end = text.slice(at + 11, limit).indexOf("-----END ");
  if (end < 0) return limit;
  const close = text.slice(at + 11 + end + 9, limit).indexOf("-----");
  return close < 0 ? limit : at + 11 + end + 9 + close + 5;
}

/** Secrets of Microsoft Entra applications: three characters, a digit, `Q~`, 31 to 34 more. */
function entraSecretStart(text: string, from: number, tilde: number): number {
  const digit = text.charCodeAt(tilde - 2);
  if (text.charCodeAt(tilde - 1) !== 81 || !(digit >= 48 && digit <= 57)) return -1;
  const size = entraCharsEnd(text, tilde + 1) - tilde - 1;
  const start = tilde - 5;
  return start >= from && size >= 31 && size <= 40 ? start : -1;
}

function entraCharsEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && at - from <= 40) {
    const code = text.charCodeAt(at);
    if (!isKeyChar(code) && code !== 126) break;
    at++;
  }
  return at;
}
