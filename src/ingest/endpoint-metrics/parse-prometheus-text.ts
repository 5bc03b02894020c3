/**
 * Reads Prometheus text and OpenMetrics as one tolerant format. Never throws: a
 * line that makes no sense is counted and the rest is read. Every line is walked
 * once, so a hostile text costs no more than its length.
 */
export type PrometheusSeries = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Always finite. */
  readonly value: number;
  /** The sample's own time; `null` when it has none. */
  readonly timeMs: number | null;
};

export type PrometheusDropReason =
  | "malformed_line"
  | "line_too_long"
  | "too_many_labels"
  | "too_many_series"
  | "not_finite";

export type PrometheusText = {
  readonly series: readonly PrometheusSeries[];
  /** Declared type by family name, in lower case, such as `gauge`. */
  readonly types: ReadonlyMap<string, string>;
  /** Lines that were left out, by reason. */
  readonly dropped: ReadonlyMap<PrometheusDropReason, number>;
};

/** More than any endpoint has; what follows is counted and left out. */
export const SERIES_MAX = 10_000;
const LABELS_MAX = 64;
const LINE_MAX_CHARS = 65_536;
const NUMBER_MAX_CHARS = 64;

/**
 * Prometheus writes milliseconds, OpenMetrics seconds, and nothing in a sample says
 * which. Below this number it is seconds: as milliseconds it would be before 1974.
 */
const SECONDS_BELOW = 1e11;

export function parsePrometheusText(text: string): PrometheusText {
  const series: PrometheusSeries[] = [];
  const types = new Map<string, string>();
  const dropped = new Map<PrometheusDropReason, number>();
  const drop = (reason: PrometheusDropReason) =>
    dropped.set(reason, (dropped.get(reason) ?? 0) + 1);

  for (const line of linesOf(text)) {
    if (line.length > LINE_MAX_CHARS) {
      drop("line_too_long");
    } else if (line.startsWith("#")) {
      if (line.trimEnd() === "# EOF") break;
      const [, keyword, name, type] = line.split(/[ \t]+/, 4);
      if (keyword === "TYPE" && name && type && types.size < SERIES_MAX) {
        types.set(name, type.toLowerCase());
      }
    } else if (line.trim() !== "") {
      const read = readSample(line);
      if (typeof read === "string") drop(read);
      else if (series.length >= SERIES_MAX) drop("too_many_series");
      else series.push(read);
    }
  }
  return { series, types, dropped };
}

function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 ? text.length : newline;
    yield text.slice(start, text[end - 1] === "\r" ? end - 1 : end);
    start = end + 1;
  }
}

/** `name{label="value"} 1.5 1700000000000 # exemplar` */
function readSample(line: string): PrometheusSeries | PrometheusDropReason {
  const name = /^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*/.exec(line);
  if (!name?.[1]) return "malformed_line";

  let rest = line.slice(name[0].length);
  let labels: Readonly<Record<string, string>> = {};
  if (rest.startsWith("{")) {
    const read = readLabels(rest);
    if (typeof read === "string") return read;
    labels = read.labels;
    rest = rest.slice(read.length);
  } else if (name[0].length === name[1].length) {
    return "malformed_line"; // Nothing stands between the name and what follows.
  }

  const words = rest.trim().split(/[ \t]+/, 3);
  const value = readNumber(words[0]);
  if (value === null) return "malformed_line";
  if (!Number.isFinite(value)) return "not_finite";

  const hasTime = words[1] !== undefined && !words[1].startsWith("#");
  const time = hasTime ? readNumber(words[1]) : null;
  if (hasTime && (time === null || !Number.isFinite(time))) return "malformed_line";
  const timeMs = time === null ? null : Math.abs(time) < SECONDS_BELOW ? time * 1000 : time;
  return { name: name[1], labels, value, timeMs };
}

type Labels = { readonly labels: Record<string, string>; readonly length: number };

/** Reads `{a="b",c="d"}` from the start of the text, and how long it was. */
function readLabels(text: string): Labels | PrometheusDropReason {
  const labels: [name: string, value: string][] = [];
  const label = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"/y;
  const separator = /[ \t]*(,|(?=\}))/y;
  const end = /[ \t]*\}/y;

  let at = 1;
  for (;;) {
    end.lastIndex = at;
    if (end.test(text)) return { labels: Object.fromEntries(labels), length: end.lastIndex };

    label.lastIndex = at;
    const name = label.exec(text)?.[1];
    if (name === undefined) return "malformed_line";
    if (labels.length >= LABELS_MAX) return "too_many_labels";

    const value = readQuoted(text, label.lastIndex);
    if (value === null) return "malformed_line";
    labels.push([name, value.text]);

    separator.lastIndex = value.end;
    if (!separator.test(text)) return "malformed_line";
    at = separator.lastIndex;
  }
}

/** Reads up to the closing quote; `\\`, `\"` and `\n` are escapes, any other backslash stays. */
function readQuoted(text: string, start: number): { text: string; end: number } | null {
  let value = "";
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '"') return { text: value, end: at + 1 };
    if (character !== "\\") {
      value += character;
      continue;
    }
    const next = text[++at];
    if (next === "n") value += "\n";
    else if (next === '"' || next === "\\") value += next;
    else value += `\\${next ?? ""}`;
  }
  return null;
}

function readNumber(word: string | undefined): number | null {
  if (!word || word.length > NUMBER_MAX_CHARS) return null;
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(word)) return Number(word);
  if (/^nan$/i.test(word)) return Number.NaN;
  const infinity = /^([+-]?)inf(inity)?$/i.exec(word);
  if (infinity) return infinity[1] === "-" ? -Infinity : Infinity;
  return null;
}
