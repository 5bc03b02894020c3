/**
 * Reads Slack's mrkdwn into a tree of plain values, so that a notification can be
 * shown as Slack shows it without a byte of it ever becoming HTML. What is not
 * understood stays text.
 *
 * Source: Slack's "Formatting text for app surfaces".
 */
import type { Status } from "./api.ts";

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "code"; readonly text: string }
  /** An emoji that stands for a state. */
  | { readonly kind: "state"; readonly status: Status }
  /** A number and its unit, which no line break may part. */
  | { readonly kind: "measure"; readonly text: string }
  | { readonly kind: "bold" | "italic" | "strike"; readonly children: readonly Inline[] }
  | { readonly kind: "link"; readonly href: string; readonly text: string };

export type Block =
  | { readonly kind: "line" | "quote"; readonly children: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string };

/** Emphasis inside emphasis is read this deep; below it stays text. */
const DEPTH_MAX = 4;

/**
 * Drawn in the page's own shapes: a machine without an emoji font would show an empty
 * box, and circles that differ in colour alone say nothing to some readers.
 */
const STATES: Readonly<Record<string, Status>> = {
  red_circle: "critical",
  large_yellow_circle: "warning",
  large_green_circle: "healthy",
  white_check_mark: "healthy",
  white_circle: "unknown",
  "🔺": "critical",
  "🔴": "critical",
  "🟡": "warning",
  "🟢": "healthy",
  "✅": "healthy",
  "⚪": "unknown",
};

const EMOJI: Readonly<Record<string, string>> = {
  warning: "⚠️",
  rotating_light: "🚨",
  hourglass_flowing_sand: "⏳",
  bell: "🔔",
  no_bell: "🔕",
};

export function parseMrkdwn(text: string): Block[] {
  return text.split("```").flatMap((part, index) => {
    if (index % 2 === 1) return [{ kind: "code" as const, text: unescapeEntities(part.trim()) }];
    const body = part.replace(/^\n|\n$/g, "");
    return body === "" ? [] : body.split("\n").map(parseLine);
  });
}

/** For sentences: `` `code` `` names modules, and a number stays with its unit. */
export function parseSentence(text: string): Inline[] {
  return text
    .split(/(`[^`]+`|\d[\d.,]* (?:ms|s|min|h|d|%|k|M)(?![\p{L}\p{N}]))/u)
    .map((part, index): Inline => {
      if (index % 2 === 0) return { kind: "text", text: part };
      if (part.startsWith("`")) return { kind: "code", text: part.slice(1, -1) };
      return { kind: "measure", text: part };
    })
    .filter((part) => part.kind !== "text" || part.text !== "");
}

function parseLine(line: string): Block {
  const quoted = /^(?:>|&gt;) ?(.*)$/.exec(line);
  if (quoted) return { kind: "quote", children: parseInline(quoted[1] ?? "", 0) };
  return { kind: "line", children: parseInline(line, 0) };
}

/** Code first, then links, then emphasis, whose marks must stand at the edge of a word. */
const INLINE =
  /`(?<code>[^`\n]+)`|<(?<href>[^<>|\s]+)(?:\|(?<label>[^<>]*))?>|(?<![\p{L}\p{N}])(?<mark>[*_~])(?<marked>\S|\S.*?\S)\k<mark>(?![\p{L}\p{N}])/gu;

function parseInline(text: string, depth: number): Inline[] {
  const found: Inline[] = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const inlines = readMatch(match, depth);
    if (match.index > end) found.push(...plain(text.slice(end, match.index)));
    found.push(...inlines);
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push(...plain(text.slice(end)));
  return found;
}

function readMatch(match: RegExpExecArray, depth: number): Inline[] {
  const { code, href, label, mark, marked } = match.groups ?? {};
  if (code !== undefined) return [{ kind: "code", text: unescapeEntities(code) }];
  if (href !== undefined) return [link(unescapeEntities(href), label)];
  if (mark === undefined || marked === undefined || depth >= DEPTH_MAX) return plain(match[0]);
  const kind = mark === "*" ? "bold" : mark === "_" ? "italic" : "strike";
  return [{ kind, children: parseInline(marked, depth + 1) }];
}

/** Only the web is linked: `javascript:` and its like become text. */
function link(href: string, label: string | undefined): Inline {
  const text = unescapeEntities(label || href);
  if (!/^https?:\/\//i.test(href)) return { kind: "text", text };
  return { kind: "link", href, text };
}

function plain(text: string): Inline[] {
  return text.split(/(:[a-z_]+:|[🔺🔴🟡🟢✅⚪])/u).flatMap((part, index): Inline[] => {
    const name = part.replace(/^:(.+):$/, "$1");
    const status = index % 2 === 1 ? STATES[name] : undefined;
    if (status) return [{ kind: "state", status }];
    const drawn = index % 2 === 1 ? (EMOJI[name] ?? part) : part;
    return drawn === "" ? [] : [{ kind: "text", text: unescapeEntities(drawn) }];
  });
}

/** Slack escapes these three and nothing else; `&amp;` last, so `&amp;lt;` stays `&lt;`. */
function unescapeEntities(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
