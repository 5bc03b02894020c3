/**
 * Removes secrets, and personal data and what a caller's own rules name, from text
 * before anything keeps it. What is removed leaves a word behind, so that a reader
 * sees why.
 */
import { MonitorError } from "../monitor-error.ts";
import { checkOptions, refuseOption } from "../option.ts";
import { remember } from "./remember.ts";
import type { KeyMeaning } from "./scrub-key.ts";
import { scrubEmails, scrubPersonal } from "./scrub-personal.ts";
import { knownMeaning, SECRET, scrubSecrets } from "./scrub-secrets.ts";

/** A rule of the caller's own. It runs after ours. */
export type ScrubRule =
  /** The values of a field with this name, in whatever case and with whatever signs, go. */
  | { readonly key: string }
  /** What matches goes, or becomes the replacement. */
  | { readonly pattern: RegExp; readonly replacement?: string }
  /** Returns the text without what must go. When it throws, the whole text goes. */
  | ((text: string) => string);

export type ScrubOptions = {
  readonly personalData?: boolean;
  readonly rules?: readonly ScrubRule[];
  /** Known secrets. They go in every form in which they could be written. */
  readonly secrets?: readonly string[];
};

export type Scrubber = {
  text(text: string): string;
  /** The beginning of a text of any length, see `scrubbedStart`. */
  start(text: string, maxChars: number): string;
  key(key: string, maxChars: number): ScrubbedKey;
};

export type ScrubbedKey = {
  /** What the name of a field says of its value. */
  readonly meaning: KeyMeaning;
  /** The beginning of the name itself, without secrets. */
  readonly name: string;
};

/** Removes secrets and addresses of people. */
export function scrub(text: string): string {
  return scrubEmails(scrubSecrets(text));
}

/** Read of a text: more than anybody keeps of it. */
const START_MAX_CHARS = 16_384;
/** What stands so close to where a text was cut may be the beginning of a secret that can't be recognised. */
const UNSURE_CHARS = 4_096;

/**
 * The first characters of a text, without secrets: it is scrubbed before it is cut,
 * and what stood near the end of what was read is left out, however much of the
 * rest was removed. A text of its own, because a part of a long one would keep all
 * of it in memory.
 */
export function scrubbedStart(
  text: string,
  maxChars: number,
  clean: (text: string) => string = scrub,
): string {
  if (text.length <= START_MAX_CHARS) return cut(clean(text), maxChars);
  const start = clean(text.slice(0, START_MAX_CHARS));
  return cut(start, Math.max(1, Math.min(maxChars, start.length - UNSURE_CHARS)));
}

function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return ` ${text.slice(0, maxChars - 1)}…`.slice(1);
}

/** Longer text is cut before the caller's rules see it: they may be slower than ours. */
const RULES_MAX_CHARS = 65_536;
/** A shorter text is no secret, and removing it would make other words unreadable. */
const KNOWN_SECRET_MIN_CHARS = 4;

/** @throws MonitorError `CONFIG_INVALID` for a rule or a secret that is none; no value is shown. */
export function createScrubber(options: ScrubOptions = {}): Scrubber {
  checkOptions("`redact`", options);
  const { personalData = false, rules = [], secrets = [] } = options;
  checkRules(rules);
  checkSecrets(secrets);
  const forms = secrets.flatMap(formsOf).sort((one, other) => other.length - one.length);
  const ownKeys = new Set(rules.flatMap((rule) => ("key" in rule ? [plainKey(rule.key)] : [])));
  const replacers = rules.flatMap((rule) => ("key" in rule ? [] : [replacerOf(rule)]));
  const isOwn = forms.length > 0 || replacers.length > 0;

  function withOwn(text: string): string {
    let clean = text.length > RULES_MAX_CHARS ? text.slice(0, RULES_MAX_CHARS) : text;
    for (const form of forms) clean = clean.replaceAll(form, SECRET);
    clean = scrubSecrets(clean);
    for (const replace of replacers) clean = replace(clean);
    return clean;
  }

  function cleanText(text: string): string {
    const clean = isOwn ? withOwn(text) : scrubSecrets(text);
    return personalData ? scrubPersonal(clean) : clean;
  }

  function meaningOf(key: string): KeyMeaning {
    if (ownKeys.size > 0 && ownKeys.has(plainKey(key))) return "secret";
    const meaning = knownMeaning(key);
    return meaning === "personal" && !personalData ? "plain" : meaning;
  }

  const known = new Map<string, ScrubbedKey>();
  return {
    text: cleanText,
    start: (text, maxChars) => scrubbedStart(text, maxChars, cleanText),
    key(key, maxChars) {
      const before = known.get(key);
      if (before !== undefined) return before;
      const name = scrubbedStart(key, maxChars, cleanText);
      const scrubbed: ScrubbedKey = { meaning: meaningOf(key), name };
      remember(known, name === key ? key : "", scrubbed);
      return scrubbed;
    },
  };
}

function checkRules(rules: readonly unknown[]): void {
  const hint =
    "Give a list of { key: string }, { pattern: RegExp } or functions from text to text.";
  if (!Array.isArray(rules)) refuseOption("rules", rules, hint);
  for (const rule of rules) {
    if (typeof rule === "function") continue;
    checkOptions("a rule", rule);
    const isKey = typeof rule.key === "string";
    if (!isKey && !(rule.pattern instanceof RegExp)) refuseOption("a rule", rule, hint);
  }
}

/** One that is not set would leave what it should have been readable. */
function checkSecrets(secrets: readonly unknown[]): void {
  if (Array.isArray(secrets) && secrets.every((secret) => typeof secret === "string")) return;
  throw new MonitorError("CONFIG_INVALID", "one of `secrets` is no text, or they are no list", {
    hint: "Give a list of strings, and leave out those that are not set.",
  });
}

const plainKey = (key: string) => key.toLowerCase().replace(/[^a-z0-9]+/g, "");

function replacerOf(rule: Exclude<ScrubRule, { readonly key: string }>): (text: string) => string {
  if (typeof rule === "function") {
    return (text) => {
      try {
        const clean: unknown = rule(text);
        return typeof clean === "string" ? clean : SECRET;
      } catch {
        return SECRET;
      }
    };
  }
  const flags = `${rule.pattern.flags.replace(/[gy]/g, "")}g`;
  const pattern = new RegExp(rule.pattern.source, flags);
  return (text) => text.replace(pattern, rule.replacement ?? SECRET);
}

/** As it is, trimmed, and as URLs, forms, JSON of JavaScript and of Python, and base64 write it. */
function formsOf(secret: string): string[] {
  const trimmed = secret.trim();
  if (trimmed.length < KNOWN_SECRET_MIN_CHARS) return [];
  const url = uriOf(trimmed);
  const json = JSON.stringify(trimmed).slice(1, -1);
  const forms = [
    secret,
    trimmed,
    url,
    url.replace(/%../g, (code) => code.toLowerCase()),
    url.replaceAll("%20", "+"),
    json,
    json.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`),
    ...base64Of(trimmed),
  ];
  return [...new Set(forms)];
}

/** A form that is shorter could be a part of anything. */
const BASE64_MIN_CHARS = 6;

/**
 * What is the same whatever stands before and after it, as in `user:password` of
 * Basic authentication: at each of the three places where it can begin.
 */
function base64Of(text: string): string[] {
  const bytes = new TextEncoder().encode(text.slice(0, RULES_MAX_CHARS));
  return [0, 1, 2].flatMap((before) => {
    let binary = "\0".repeat(before);
    for (const byte of bytes) binary += String.fromCharCode(byte);
    const first = Math.ceil((8 * before) / 6);
    const past = Math.floor((8 * (before + bytes.length)) / 6);
    const whole = btoa(binary).replace(/=+$/, "");
    const inner = whole.slice(first, past);
    if (inner.length < BASE64_MIN_CHARS) return [];
    return (before === 0 ? [whole, inner] : [inner]).flatMap((form) => [
      form,
      form.replaceAll("+", "-").replaceAll("/", "_"),
    ]);
  });
}

function uriOf(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text; // half a surrogate pair
  }
}
