/**
 * Reads a statement's tokens one after the other, for the parsers beside it.
 * What was expected and what came instead is said in one place.
 */
import { syntaxError } from "./sql-error.ts";
import { type Token, tokenize } from "./tokens.ts";

export type TokenReader = {
  readonly sql: string;
  peek(ahead?: number): Token | undefined;
  next(): Token;
  /** True, and read on, when the next words are these. */
  accept(...words: readonly string[]): boolean;
  expect(...words: readonly string[]): void;
  acceptSymbol(symbol: string): boolean;
  expectSymbol(symbol: string): void;
  /** An identifier, quoted or not. */
  name(): string;
  /** `catalog.schema.table`, in parts. */
  path(): string[];
  string(): string;
  /** Reads on to the end of the bracket that is open now; the text in between. */
  untilClosed(): string;
  /** From here up to, not including, one of these words at depth 0 (or the end). */
  until(...words: readonly string[]): string;
  rest(): string;
  isAtEnd(): boolean;
  fail(expected: string): never;
};

export function readTokens(sql: string): TokenReader {
  const tokens = tokenize(sql);
  let at = 0;

  const isWord = (token: Token | undefined, word: string): boolean =>
    token?.kind === "word" && token.text.toUpperCase() === word;
  const isSymbol = (token: Token | undefined, symbol: string): boolean =>
    token?.kind === "symbol" && token.text === symbol;

  const reader: TokenReader = {
    sql,
    peek: (ahead = 0) => tokens[at + ahead],
    next() {
      const token = tokens[at];
      if (!token) return reader.fail("more");
      at++;
      return token;
    },
    accept(...words) {
      if (!words.every((word, index) => isWord(tokens[at + index], word))) return false;
      at += words.length;
      return true;
    },
    expect(...words) {
      if (!reader.accept(...words)) reader.fail(words.join(" "));
    },
    acceptSymbol(symbol) {
      if (!isSymbol(tokens[at], symbol)) return false;
      at++;
      return true;
    },
    expectSymbol(symbol) {
      if (!reader.acceptSymbol(symbol)) reader.fail(`'${symbol}'`);
    },
    name() {
      const token = tokens[at];
      if (token?.kind !== "word" && token?.kind !== "quoted") return reader.fail("a name");
      at++;
      return token.text;
    },
    path() {
      const parts = [reader.name()];
      while (reader.acceptSymbol(".")) parts.push(reader.name());
      return parts;
    },
    string() {
      const token = tokens[at];
      if (token?.kind !== "string") return reader.fail("a string");
      at++;
      return token.text;
    },
    untilClosed() {
      const start = tokens[at]?.start ?? sql.length;
      let depth = 1;
      for (; at < tokens.length; at++) {
        const token = tokens[at];
        if (isSymbol(token, "(")) depth++;
        if (isSymbol(token, ")")) depth--;
        if (depth === 0 && token) {
          at++;
          return sql.slice(start, token.start).trim();
        }
      }
      return reader.fail("')'");
    },
    until(...words) {
      const start = tokens[at]?.start ?? sql.length;
      let depth = 0;
      for (; at < tokens.length; at++) {
        const token = tokens[at];
        if (isSymbol(token, "(") || isSymbol(token, "[")) depth++;
        if (isSymbol(token, ")") || isSymbol(token, "]")) depth--;
        if (isWord(token, "CASE")) depth++;
        if (isWord(token, "END") && depth > 0) depth--;
        else if (depth === 0 && words.some((word) => isWord(token, word))) break;
        if (depth < 0) break;
      }
      const end = tokens[at - 1]?.end ?? sql.length;
      return sql.slice(start, Math.max(start, end)).trim();
    },
    rest() {
      const start = tokens[at]?.start ?? sql.length;
      at = tokens.length;
      return sql.slice(start, tokens.at(-1)?.end ?? sql.length).trim();
    },
    isAtEnd: () => at >= tokens.length,
    fail(expected) {
      const token = tokens[at];
      if (!token) {
        throw syntaxError(`Syntax error at the end of the statement: expected ${expected}.`);
      }
      const shown = sql.slice(token.start, token.end);
      throw syntaxError(
        `Syntax error at or near '${shown}' (position ${token.start + 1}): expected ${expected}.`,
      );
    },
  };
  return reader;
}
