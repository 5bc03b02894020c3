/** The columns of a table of spans, as Spark tells them. */
import { findSpanColumns, type SpanColumns } from "../../src/ingest/span-table/columns.ts";
import type { Spark } from "./start-spark.ts";

export async function spanColumnsOf(spark: Spark, table: string): Promise<SpanColumns> {
  const described = await spark.rows(`DESCRIBE TABLE ${table}`);
  const columns = described.map(([name, typeText]) => ({
    name: name ?? "",
    typeText: typeText ?? null,
  }));
  const found = findSpanColumns(columns);
  if (!("found" in found)) throw new Error(`no columns: ${JSON.stringify(found)}`);
  return found.found;
}
