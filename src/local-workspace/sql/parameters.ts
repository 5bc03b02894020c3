/**
 * Puts the named parameters into a statement, as the Statement Execution API takes
 * them: a value left out is NULL, a type left out is STRING. Each becomes a literal of
 * its type, or a name within `IDENTIFIER(…)`; what is in a value never becomes a part
 * of the statement.
 *
 * Source: databricks-sdk-py 0.156.0, `StatementParameterListItem`.
 */
import { parseDataType, typeText } from "./data-type.ts";
import { SqlError, syntaxError, unsupported } from "./sql-error.ts";
import { readTokens } from "./token-reader.ts";
import { quoteName, quoteString, type Token, tokenize } from "./tokens.ts";

export type StatementParameter = {
  readonly name: string;
  readonly value?: string | null | undefined;
  readonly type?: string | undefined;
};

/** What stands after one of these is a value, so a colon there begins a parameter, not a path into JSON. */
const beforeValues = new Set(
  `select where and or not on when then else case having limit offset between like ilike rlike regexp
  is distinct by in values interval from set as div using`.split(/\s+/),
);

export function bindParameters(sql: string, given: readonly StatementParameter[]): string {
  const tokens = tokenize(sql);
  let bound = "";
  let copied = 0;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (!token) break;
    if (isSymbol(token, "?")) throw unsupported("unnamed parameters (?): use :name");
    const isIdentifier = token.kind === "word" && token.text.toLowerCase() === "identifier";
    if (isIdentifier && isSymbol(tokens[at + 1], "(")) {
      const { name, end } = readIdentifier(tokens, at + 2, given);
      if (isSymbol(tokens[end + 1], "(")) throw unsupported("IDENTIFIER for a function");
      bound += sql.slice(copied, token.start) + name.split(".").map(quoteName).join(".");
      copied = tokens[end]?.end ?? sql.length;
      at = end;
    } else if (isSymbol(token, ":") && isParameter(tokens, at)) {
      const name = tokens[at + 1];
      bound += sql.slice(copied, token.start) + literal(find(given, name?.text ?? ""));
      copied = name?.end ?? sql.length;
      at++;
    }
  }
  return bound + sql.slice(copied);
}

function find(given: readonly StatementParameter[], name: string): StatementParameter {
  const parameter = given.find((one) => one.name === name);
  if (parameter) return parameter;
  throw new SqlError(
    "UNBOUND_SQL_PARAMETER",
    `Found the unbound parameter: ${name}. Give it a value in \`parameters\`.`,
    { sqlState: "42P02" },
  );
}

/** `x:a` reads JSON; `= :a` is a parameter; `f: INT` in a type has a space after its colon. */
function isParameter(tokens: readonly Token[], at: number): boolean {
  const [before, colon, name] = [tokens[at - 1], tokens[at], tokens[at + 1]];
  if (name?.kind !== "word" || !colon || name.start !== colon.end) return false;
  if (!before) return true;
  if (before.kind === "word") {
    return beforeValues.has(before.text.toLowerCase()) || before.end < colon.start;
  }
  if (before.kind === "symbol") return ![")", "]"].includes(before.text);
  return false;
}

/** A name from parameters and strings joined by `||`. @returns where its bracket closes. */
function readIdentifier(
  tokens: readonly Token[],
  start: number,
  given: readonly StatementParameter[],
): { readonly name: string; readonly end: number } {
  let name = "";
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at];
    if (token?.kind === "string") name += token.text;
    else if (isSymbol(token, ":")) {
      const { value = null } = find(given, tokens[++at]?.text ?? "");
      if (value === null) {
        throw new SqlError("NOT_A_CONSTANT_STRING", "The name in IDENTIFIER is NULL.", {
          sqlState: "42601",
        });
      }
      name += value;
    } else if (isSymbol(token, ")")) return { name: name.replaceAll("`", ""), end: at };
    else if (!isSymbol(token, "||")) {
      throw unsupported("IDENTIFIER of more than strings and parameters joined by ||");
    }
  }
  throw syntaxError("A bracket is not closed.");
}

function isSymbol(token: Token | undefined, symbol: string): boolean {
  return token?.kind === "symbol" && token.text === symbol;
}

function literal({ name, value = null, type = "STRING" }: StatementParameter): string {
  const dataType = parseDataType(readTokens(type.trim() === "" ? "STRING" : type));
  if (dataType.kind !== "primitive" && dataType.kind !== "decimal") {
    throw unsupported(`parameters of the type ${typeText(dataType)}`);
  }
  const written = typeText(dataType);
  if (value === null) return `CAST(NULL AS ${written})`;
  if (written === "STRING") return quoteString(value);
  // As it is: LIMIT takes a number and no cast.
  if (/^(INT|BIGINT|SMALLINT|TINYINT)$/.test(written) && /^[+-]?\d{1,19}$/.test(value))
    return value;
  if (/^(FLOAT|DOUBLE|DECIMAL|INT|BIGINT|SMALLINT|TINYINT)/.test(written)) {
    if (!/^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(value)) {
      throw new SqlError(
        "CAST_INVALID_INPUT",
        `The value '${value}' of the parameter ${name} cannot be cast to ${written} because it is malformed.`,
        { sqlState: "22018" },
      );
    }
  }
  return `CAST(${quoteString(value)} AS ${written})`;
}
