/** A regular expression as a literal of Spark SQL: Java's are JavaScript's, as far as ours go. */
import { quotedText } from "../history/databricks-tables.ts";

export function regex({ source, flags }: RegExp): string {
  return quotedText(`${flags.includes("i") ? "(?i)" : ""}${source.replaceAll("\\/", "/")}`);
}
