/**
 * Marks the functions that a query calls, by its tokens, before it is translated, so
 * that no translator on the way takes a name for another dialect's. What this
 * workspace can't do is refused here, by name.
 */
import { grammar, isKnownFunction, MARK } from "./functions.ts";
import { syntaxError, unsupported } from "./sql-error.ts";
import { quoteString, type Token, tokenize } from "./tokens.ts";

/** Words before a bracket that call nothing. */
const keywords = new Set(
  `select from where and or not on using as over filter join by when then else case exists union except
  intersect minus having limit offset between like ilike rlike regexp is distinct group sets rollup
  cube with lateral interval qualify values in all within order partition rows unbounded
  decimal dec numeric array map struct cross inner outer left right full semi anti natural view
  replace any some set insert into update delete merge`.split(/\s+/),
);
/** Of those, the ones that are functions as well. */
const bothKeywordAndFunction = new Set([
  "array",
  "map",
  "struct",
  "left",
  "right",
  "replace",
  "filter",
  "any",
  "some",
]);

/** What else a call may stand after. */
const beforeCalls = new Set(["div", "escape", "asc", "desc"]);

/** One word, or several in a row, that Databricks has and this workspace has not. */
const refused: readonly (readonly [words: string, what: string])[] = [
  ["TABLESAMPLE", "TABLESAMPLE"],
  ["PIVOT", "PIVOT"],
  ["UNPIVOT", "UNPIVOT"],
  ["MATCH_RECOGNIZE", "MATCH_RECOGNIZE"],
  ["TIMESTAMP_NTZ", "the type TIMESTAMP_NTZ"],
  ["VERSION AS OF", "time travel (VERSION AS OF)"],
  ["TIMESTAMP AS OF", "time travel (TIMESTAMP AS OF)"],
  ["VIEW OUTER", "LATERAL VIEW OUTER"],
  ["SORT BY", "SORT BY"],
  ["DISTRIBUTE BY", "DISTRIBUTE BY"],
  ["CLUSTER BY", "CLUSTER BY in a query"],
];

export function markFunctions(sql: string): string {
  const tokens = tokenize(sql);
  let marked = "";
  let copied = 0;
  /** Brackets that close a TRY_CAST. */
  const closings = new Set<number>();
  const replace = (from: Token, to: Token, by: string) => {
    marked += sql.slice(copied, from.start) + by;
    copied = to.end;
  };
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (!token) break;
    refuseWords(tokens, at);
    if (closings.has(at)) replace(token, token, "))");
    const next = wordOf(tokens[at + 1]);
    // DuckDB writes a LEFT ANTI JOIN without LEFT.
    if (wordOf(token) === "left" && (next === "anti" || next === "semi")) replace(token, token, "");
    const literal = tokens[at + 1];
    if (["date", "timestamp"].includes(wordOf(token)) && literal?.kind === "string") {
      // As a call, since the translator turns casts of such literals inside out.
      replace(token, literal, `${MARK}${wordOf(token)}(${quoteString(literal.text)})`);
      at++;
      continue;
    }
    if (token.kind !== "word" || !isSymbol(tokens[at + 1], "(")) continue;
    if (!isCall(tokens, at)) continue;
    const name = token.text.toLowerCase();
    if (name === "try_cast") {
      // The translator makes every cast one that may fail; this one is meant to.
      closings.add(closingBracket(tokens, at + 1));
      replace(token, token, `${MARK}try(CAST`);
      continue;
    }
    if (grammar.has(name)) continue;
    if (isSymbol(tokens[at - 1], ".")) {
      throw unsupported(`functions of users (${pathBefore(tokens, at)})`);
    }
    if (!isKnownFunction(name)) throw unsupported(`the function ${name}()`);
    replace(token, token, `${MARK}${name}`);
  }
  return marked + sql.slice(copied);
}

function isSymbol(token: Token | undefined, symbol: string): boolean {
  return token?.kind === "symbol" && token.text === symbol;
}

function wordOf(token: Token | undefined): string {
  return token?.kind === "word" ? token.text.toLowerCase() : "";
}

function refuseWords(tokens: readonly Token[], at: number): void {
  for (const [words, what] of refused) {
    const isHere = words
      .toLowerCase()
      .split(" ")
      .every((word, index) => wordOf(tokens[at + index]) === word);
    // A column may have such a name; it then stands before a dot, comma or operator.
    const isAlone = !words.includes(" ");
    const next = tokens[at + 1];
    if (
      isHere &&
      (!isAlone || isSymbol(next, "(") || next?.kind === "string" || words === "TIMESTAMP_NTZ")
    ) {
      throw unsupported(what);
    }
  }
}

/** Whether the word before this bracket is called, rather than grammar or a name with columns. */
function isCall(tokens: readonly Token[], at: number): boolean {
  const name = wordOf(tokens[at]);
  const before = tokens[at - 1];
  const previous = wordOf(before);
  if (previous === "as" || previous === "with" || previous === "table" || previous === "into")
    return false;
  if (isSymbol(before, ")") && !["union"].includes(name)) return false;
  if (name === "any" || name === "some") {
    return (
      !["like", "ilike"].includes(previous) && !["select", "with"].includes(wordOf(tokens[at + 2]))
    );
  }
  if (keywords.has(name)) return bothKeywordAndFunction.has(name);
  // `a (x, y) AS (SELECT …)` in a WITH.
  const close = closingBracket(tokens, at + 1);
  if (wordOf(tokens[close + 1]) === "as" && isSymbol(tokens[close + 2], "(")) return false;
  // `LATERAL VIEW explode(x) t(y)` and `FROM a b(x)`: an alias follows a name or a bracket.
  return before?.kind !== "word" || keywords.has(previous) || beforeCalls.has(previous);
}

function closingBracket(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if (isSymbol(tokens[at], "(")) depth++;
    if (isSymbol(tokens[at], ")") && --depth === 0) return at;
  }
  throw syntaxError("A bracket is not closed.");
}

function pathBefore(tokens: readonly Token[], at: number): string {
  let path = tokens[at]?.text ?? "";
  for (let before = at - 1; isSymbol(tokens[before], "."); before -= 2) {
    path = `${tokens[before - 1]?.text ?? ""}.${path}`;
  }
  return path;
}

/**
 * The items of a query's SELECT list as they were written, for naming columns that
 * have no alias. Nothing where the query does not begin with its SELECT.
 */
export function selectItems(sql: string): string[] {
  const tokens = tokenize(sql);
  const isDistinct = ["distinct", "all"].includes(wordOf(tokens[1]));
  const items: string[] = [];
  if (wordOf(tokens[0]) !== "select") return items;
  let start = isDistinct ? 2 : 1;
  let depth = 0;
  for (let at = start; at <= tokens.length; at++) {
    const token = tokens[at];
    const isEnd = depth === 0 && (!token || wordOf(token) === "from" || isSymbol(token, ")"));
    if (isEnd || (depth === 0 && isSymbol(token, ","))) {
      const [first, last] = [tokens[start], tokens[at - 1]];
      if (first && last) items.push(sql.slice(first.start, last.end));
      start = at + 1;
      if (isEnd) return items;
    }
    if (isSymbol(token, "(") || isSymbol(token, "[") || wordOf(token) === "case") depth++;
    if (isSymbol(token, ")") || isSymbol(token, "]") || wordOf(token) === "end") depth--;
  }
  return items;
}
