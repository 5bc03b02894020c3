/**
 * Credentials that tell by their shape what they are: the tokens of Databricks,
 * model providers, code hosts, clouds and chats. Every shape begins with letters
 * that nothing else begins with, so one look decides.
 */

/** Past the credential that begins at `at`, or 0. */
export function credentialEnd(text: string, at: number): number {
  const shapes = shapesByFirst[text.charCodeAt(at)];
  if (shapes === undefined) return 0;
  const second = text.charCodeAt(at + 1);
  for (let index = 0; index < shapes.length; index++) {
    const shape = shapes[index] as Shape;
    if (shape.prefix.charCodeAt(1) !== second || !text.startsWith(shape.prefix, at)) continue;
    const from = at + shape.prefix.length;
    if (shape.needsDigit && !hasDigit(text, from, shape.charset)) continue;
    const past = runEnd(text, from, shape.charset);
    if (past - from < shape.sizeMin) continue;
    if (shape.sizeMax !== undefined && past - from > shape.sizeMax) continue;
    return shape.prefix.startsWith("dapi") ? afterSuffix(text, past) : past;
  }
  return 0;
}

/** Past a JSON Web Token that begins at `at`, or 0: three parts of base64, the first a JSON object. */
export function jsonWebTokenEnd(text: string, at: number): number {
  if (!text.startsWith("eyJ", at)) return 0;
  const first = runEnd(text, at, NAME);
  if (text.charCodeAt(first) !== 46 || first - at < 8) return 0;
  const second = runEnd(text, first + 1, NAME);
  if (second - first < 9 || text.charCodeAt(second) !== 46) return 0;
  return runEnd(text, second + 1, NAME);
}

export const AWS_SECRET_KEY_CHARS = 40;
/** So many capitals, small letters and changes between kinds of signs no path and no name of 40 has. */
const AWS_SECRET_KEY_LETTERS_MIN = 6;
const AWS_SECRET_KEY_CHANGES_MIN = 14;

/**
 * Where the secret key of AWS begins that a word is a part of, or -1. It has no prefix:
 * exactly 40 characters of base64, mixed as neither paths nor names are.
 */
export function awsSecretKeyStart(
  text: string,
  from: number,
  { wordStart, wordEnd }: { readonly wordStart: number; readonly wordEnd: number },
): number {
  const earliest = Math.max(from, wordEnd - AWS_SECRET_KEY_CHARS - 1);
  let start = wordStart;
  while (start > earliest && BASE64[text.charCodeAt(start - 1)] === 1) start--;
  const latest = start + AWS_SECRET_KEY_CHARS + 1;
  let end = wordEnd;
  while (end < latest && BASE64[text.charCodeAt(end)] === 1) end++;
  if (end - start !== AWS_SECRET_KEY_CHARS) return -1;
  return isMixed(text, start, end) ? start : -1;
}

function isMixed(text: string, from: number, to: number): boolean {
  const counts = { capital: 0, small: 0, digit: 0, sign: 0 };
  let changes = 0;
  let before: keyof typeof counts | undefined;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    const kind = code > 96 ? "small" : code > 64 ? "capital" : code > 47 ? "digit" : "sign";
    counts[kind]++;
    if (before !== undefined && kind !== before) changes++;
    before = kind;
  }
  return (
    counts.digit > 0 &&
    counts.capital >= AWS_SECRET_KEY_LETTERS_MIN &&
    counts.small >= AWS_SECRET_KEY_LETTERS_MIN &&
    changes >= AWS_SECRET_KEY_CHANGES_MIN
  );
}

type Shape = {
  readonly prefix: string;
  /** What the rest is made of. */
  readonly charset: Uint8Array;
  readonly sizeMin: number;
  readonly sizeMax?: number;
  /** Words joined by dashes have none. */
  readonly needsDigit?: boolean;
};

function charset(chars: string): Uint8Array {
  const set = new Uint8Array(128);
  for (const char of chars) set[char.charCodeAt(0)] = 1;
  return set;
}
const digits = "0123456789";
const small = "abcdefghijklmnopqrstuvwxyz";
const hexDigits = charset(`${digits}abcdefABCDEF`);
const capitals = charset(digits + small.toUpperCase());
const alphanumeric = charset(digits + small + small.toUpperCase());
const BASE64 = charset(`${digits}${small}${small.toUpperCase()}+/`);
const NAME = charset(`${digits}${small}${small.toUpperCase()}_-`);
const dotted = charset(`${digits}${small}${small.toUpperCase()}_-.`);

const shapes: readonly Shape[] = [
  // Databricks: personal access tokens, OAuth secrets and refresh tokens.
  { prefix: "dapi", charset: hexDigits, sizeMin: 32, sizeMax: 32 },
  { prefix: "dose", charset: hexDigits, sizeMin: 32, sizeMax: 32 },
  { prefix: "dkea", charset: hexDigits, sizeMin: 32, sizeMax: 32 },
  // OpenAI, Anthropic and those who copied them.
  { prefix: "sk-", charset: NAME, sizeMin: 16, needsDigit: true },
  { prefix: "gsk_", charset: alphanumeric, sizeMin: 20 },
  { prefix: "hf_", charset: alphanumeric, sizeMin: 20 },
  { prefix: "nvapi-", charset: NAME, sizeMin: 20 },
  { prefix: "pplx-", charset: alphanumeric, sizeMin: 20 },
  { prefix: "xai-", charset: alphanumeric, sizeMin: 20, needsDigit: true },
  { prefix: "r8_", charset: alphanumeric, sizeMin: 20 },
  { prefix: "tvly-", charset: NAME, sizeMin: 16, needsDigit: true },
  { prefix: "lsv2_", charset: NAME, sizeMin: 20 },
  // GitHub, GitLab, npm, PyPI, Docker.
  ...["p", "o", "u", "s", "r"].map((kind) => ({
    prefix: `gh${kind}_`,
    charset: alphanumeric,
    sizeMin: 20,
  })),
  { prefix: "github_pat_", charset: NAME, sizeMin: 20 },
  { prefix: "glpat-", charset: NAME, sizeMin: 16 },
  { prefix: "npm_", charset: alphanumeric, sizeMin: 36 },
  { prefix: "pypi-", charset: NAME, sizeMin: 50 },
  { prefix: "dckr_pat_", charset: NAME, sizeMin: 20 },
  // Slack, Grafana, SendGrid, Stripe, Shopify, HashiCorp Vault.
  ...["xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "xapp-"].map((prefix) => ({
    prefix,
    charset: NAME,
    sizeMin: 10,
  })),
  { prefix: "glsa_", charset: NAME, sizeMin: 20 },
  { prefix: "glc_", charset: alphanumeric, sizeMin: 32 },
  { prefix: "SG.", charset: dotted, sizeMin: 40 },
  ...["sk_live_", "sk_test_", "rk_live_", "rk_test_"].map((prefix) => ({
    prefix,
    charset: alphanumeric,
    sizeMin: 10,
  })),
  { prefix: "whsec_", charset: charset(`${digits}${small}${small.toUpperCase()}+/=`), sizeMin: 16 },
  { prefix: "shpat_", charset: hexDigits, sizeMin: 32 },
  { prefix: "hvs.", charset: NAME, sizeMin: 24 },
  // AWS, Google.
  { prefix: "AKIA", charset: capitals, sizeMin: 16, sizeMax: 16 },
  { prefix: "ASIA", charset: capitals, sizeMin: 16, sizeMax: 16 },
  { prefix: "AIza", charset: NAME, sizeMin: 35 },
  { prefix: "GOCSPX-", charset: NAME, sizeMin: 20 },
  { prefix: "ya29.", charset: dotted, sizeMin: 20 },
];

const shapesByFirst: (Shape[] | undefined)[] = new Array(128).fill(undefined);
for (const shape of shapes) {
  const first = shape.prefix.charCodeAt(0);
  shapesByFirst[first] = [...(shapesByFirst[first] ?? []), shape];
}

function runEnd(text: string, from: number, chars: Uint8Array): number {
  let at = from;
  while (at < text.length && chars[text.charCodeAt(at)] === 1) at++;
  return at;
}

/** A credential has a digit within this many characters. */
const DIGIT_WITHIN_CHARS = 200;

function hasDigit(text: string, from: number, chars: Uint8Array): boolean {
  const limit = Math.min(text.length, from + DIGIT_WITHIN_CHARS);
  for (let at = from; at < limit && chars[text.charCodeAt(at)] === 1; at++) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) return true;
  }
  return false;
}

/** Databricks appends `-2` and the like. */
function afterSuffix(text: string, at: number): number {
  const digit = text.charCodeAt(at + 1);
  return text.charCodeAt(at) === 45 && digit >= 48 && digit <= 57 ? at + 2 : at;
}
