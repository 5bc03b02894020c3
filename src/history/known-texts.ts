/**
 * Columns whose few texts are all known before they are written: to DuckDB they are numbers, an
 * ENUM, and to who reads the file texts as all others. Otherwise it hashes every text of every
 * row twice to find out that it has it already, which took half of the time of writing. Pure.
 */
import { quoteText } from "./duckdb.ts";
import type { Bounds } from "./parquet-file.ts";
import type { Column } from "./tables.ts";

/** Different texts of a column up to which they are known: a statement names them. */
export const KNOWN_TEXTS_MAX = 1_000;

/** What stands in a column, in some rows. */
export type ColumnTexts = {
  readonly name: string;
  /** Of a map, JSON. Nulls are left out. `null` where they are too many to be known. */
  readonly texts: Iterable<string> | null;
};

export type TextType = {
  /** SQL of a value, made of that of its text. */
  readonly valueOf: (text: string) => string;
  /** Of known texts: DuckDB tells those of an ENUM no more. */
  readonly bounds: Bounds | null;
};

export type TextTypes = ReadonlyMap<string, TextType>;

/**
 * By column, of all that hold texts.
 *
 * @param parts of the rows; what all of them know of a column is known.
 */
export function textTypes(
  columns: readonly Column[],
  parts: readonly (readonly ColumnTexts[])[],
): TextTypes {
  const types = new Map<string, TextType>();
  for (const { name, type } of columns) {
    const its = parts.map((part) => part.find((column) => column.name === name)?.texts ?? null);
    if (type === "STRING") {
      const { sql, bounds } = typeOf(its);
      types.set(name, { valueOf: (text) => `CAST(${text} AS ${sql})`, bounds });
    }
    if (type === "MAP<STRING,STRING>") {
      const keys = typeOf(its.map((json) => json && labelTexts(json, Object.keys)));
      const values = typeOf(its.map((json) => json && labelTexts(json, Object.values)));
      const sql = `MAP(${keys.sql}, ${values.sql})`;
      types.set(name, { valueOf: (text) => `CAST(${mapOf(text)} AS ${sql})`, bounds: null });
    }
  }
  return types;
}

function mapOf(json: string): string {
  return `json_transform(coalesce(${json}, '{}'), '"MAP(VARCHAR,VARCHAR)"')`;
}

type KnownTexts = { readonly sql: string; readonly bounds: Bounds | null };

const unknown: KnownTexts = { sql: "VARCHAR", bounds: null };

function typeOf(parts: readonly (Iterable<string> | null)[]): KnownTexts {
  const known = new Set<string>();
  for (const texts of parts) {
    if (texts === null) return unknown;
    for (const text of texts) {
      known.add(text);
      if (known.size > KNOWN_TEXTS_MAX || !canStandInStatement(text)) return unknown;
    }
  }
  const inOrder = Array.from(known, (text) => Buffer.from(text)).sort(Buffer.compare);
  const [min, max] = [inOrder[0]?.toString(), inOrder.at(-1)?.toString()];
  if (min === undefined || max === undefined) return unknown;
  return { sql: `ENUM(${Array.from(known, quoteText).join(", ")})`, bounds: { min, max } };
}

/** A statement ends at U+0000, and what is not Unicode is not handed over as it is. */
export function canStandInStatement(text: string): boolean {
  return text.isWellFormed() && !text.includes("\u0000");
}

function* labelTexts(
  json: Iterable<string>,
  partsOf: (labels: Readonly<Record<string, string>>) => readonly string[],
) {
  // As `pending-rows.ts` makes it of labels.
  for (const one of json) yield* partsOf(JSON.parse(one) as Readonly<Record<string, string>>);
}
