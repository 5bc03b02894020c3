/**
 * Cuts a Databricks SQL text into tokens. Strings, quoted names and comments are
 * told apart here once, so that whatever rewrites a statement by its tokens never
 * touches the inside of a value.
 *
 * Source: Databricks SQL reference, "Lexical structure".
 */
import { syntaxError } from "./sql-error.ts";

export type Token = {
  readonly kind: "word" | "quoted" | "string" | "number" | "symbol";
  /** A word as it was written; of a quoted name or a string, its value. */
  readonly text: string;
  /** Offset in the statement of the first character. */
  readonly start: number;
  /** Offset in the statement after the last character. */
  readonly end: number;
};

/** Two and three characters before one, since the longest match counts. */
const SYMBOLS = /(?:<=>|=>|->|::|<=|>=|<>|!=|==|\|\||<<|[-+*/%(),.;:=<>[\]{}?!|&^~@$])/y;
const SPACE = /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)/y;
const WORD = /[\p{L}_][\p{L}\p{N}_]*/uy;
const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:BD|[LSYDF])?(?![\p{L}_])/iuy;
const RAW_STRING = /[rR]('[^']*'|"[^"]*")/y;
const STRING = /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"/y;
const QUOTED = /`(?:[^`]|``)*`/y;

export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  };
  while (at < sql.length) {
    const space = match(SPACE);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const { kind, source, text } = nextToken(match, sql, at);
    tokens.push({ kind, text, start: at, end: at + source.length });
    at += source.length;
  }
  return tokens;
}

function nextToken(
  match: (pattern: RegExp) => string | undefined,
  sql: string,
  at: number,
): { readonly kind: Token["kind"]; readonly source: string; readonly text: string } {
  const raw = match(RAW_STRING);
  if (raw !== undefined) return { kind: "string", source: raw, text: raw.slice(2, -1) };
  const string = match(STRING);
  if (string !== undefined) return { kind: "string", source: string, text: literalText(string) };
  const quoted = match(QUOTED);
  if (quoted !== undefined) {
    return { kind: "quoted", source: quoted, text: quoted.slice(1, -1).replaceAll("``", "`") };
  }
  const number = match(NUMBER);
  if (number !== undefined) return { kind: "number", source: number, text: number };
  const word = match(WORD);
  if (word !== undefined) return { kind: "word", source: word, text: word };
  const symbol = match(SYMBOLS);
  if (symbol !== undefined) return { kind: "symbol", source: symbol, text: symbol };
  throw syntaxError(`Syntax error at or near '${sql.slice(at, at + 1)}' (position ${at + 1}).`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "0": "\0",
  b: "\b",
  n: "\n",
  r: "\r",
  t: "\t",
  Z: "\u001a",
};

function literalText(literal: string): string {
  const quote = literal.slice(0, 1);
  return literal
    .slice(1, -1)
    .replace(
      /\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\([0-3][0-7]{2})|\\([\s\S])|''|""/g,
      (whole, u4?: string, u8?: string, octal?: string, char?: string) => {
        if (u4 ?? u8) return String.fromCodePoint(Number.parseInt(u4 ?? u8 ?? "", 16));
        if (octal) return String.fromCodePoint(Number.parseInt(octal, 8));
        // `\%` and `\_` keep the backslash: LIKE reads it.
        if (char) return ESCAPES[char] ?? (char === "%" || char === "_" ? `\\${char}` : char);
        return whole === quote + quote ? quote : whole;
      },
    );
}

/** A text as a literal that every dialect involved reads alike: no backslash is special in it. */
export function quoteString(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** A name in backticks, whatever is in it. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
