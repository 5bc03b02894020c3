/**
 * Fills in what an alert's own summary and description leave open, in Mustache's
 * form: `{{ALERT_STATUS}}`, and `{{#QUERY_RESULT_ROWS}}…{{/QUERY_RESULT_ROWS}}` around what is
 * written once for each row.
 *
 * Source: Databricks, "Create custom alert notifications". What is unknown is empty,
 * as in Mustache.
 */
import type { SqlResult } from "../sql/run.ts";

/** Of a result; more would be no message to read. */
const ROWS_MAX = 100;

export type TemplateValues = Readonly<Record<string, string | null>>;

export function fillTemplate(template: string, values: TemplateValues, result: SqlResult): string {
  const rows = result.rows
    .slice(0, ROWS_MAX)
    .map((row) =>
      Object.fromEntries(result.columns.map(({ name }, index) => [name, row[index] ?? null])),
    );
  const withRows = template.replaceAll(
    /\{\{#QUERY_RESULT_ROWS\}\}([\s\S]*?)\{\{\/QUERY_RESULT_ROWS\}\}/g,
    (_, part: string) => rows.map((row) => fill(part, { ...values, ...row })).join(""),
  );
  return fill(withRows, { ...values, QUERY_RESULT_TABLE: table(result) });
}

function fill(template: string, values: TemplateValues): string {
  return template.replaceAll(/\{\{\{?\s*([^{}#/^]+?)\s*\}?\}\}/g, (_, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? "") : "",
  );
}

function table({ columns, rows }: SqlResult): string {
  const lines = rows.slice(0, ROWS_MAX).map((row) => row.map((value) => value ?? "").join(" | "));
  return [columns.map(({ name }) => name).join(" | "), ...lines].join("\n");
}
