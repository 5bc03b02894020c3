/** The rows of a query as a table for a terminal. Pure. */

import type { QueryResult } from "../../history/query.ts";
import { counted } from "../counted.ts";

/** Longest value that is printed whole. */
const VALUE_MAX_CHARS = 60;

export function queryText({ columns, rows }: QueryResult): string {
  const header = columns.map(({ name }) => name);
  const lines = rows.map((row) => row.map(valueText));
  const widths = header.map((name, at) =>
    Math.max(name.length, ...lines.map((line) => line[at]?.length ?? 0)),
  );
  const isNumber = columns.map(({ type }) => /INT|DOUBLE|FLOAT|DECIMAL/.test(type));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) =>
        isNumber[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
      )
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return `${[line(header), rule, ...lines.map(line), counted(rows.length, "row")].join("\n")}\n`;
}

function valueText(value: unknown): string {
  if (value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  // What an agent reported may not move the cursor of whoever reads it.
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}]/gu, " ");
  return plain.length > VALUE_MAX_CHARS ? `${plain.slice(0, VALUE_MAX_CHARS - 1)}…` : plain;
}
