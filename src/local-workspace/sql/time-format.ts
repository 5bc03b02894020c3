/**
 * A pattern of `date_format` (Java's letters) as DuckDB's `strftime` writes it.
 *
 * Source: Databricks SQL reference, "Datetime patterns".
 */
import { unsupported } from "./sql-error.ts";

const letters: Readonly<Record<string, string>> = {
  yyyy: "%Y",
  y: "%Y",
  yy: "%y",
  MM: "%m",
  M: "%-m",
  MMM: "%b",
  MMMM: "%B",
  dd: "%d",
  d: "%-d",
  D: "%-j",
  DDD: "%j",
  E: "%a",
  EEE: "%a",
  EEEE: "%A",
  HH: "%H",
  H: "%-H",
  hh: "%I",
  h: "%-I",
  mm: "%M",
  m: "%-M",
  ss: "%S",
  s: "%-S",
  SSS: "%g",
  SSSSSS: "%f",
  a: "%p",
};

export function strftimeFormat(pattern: string): string {
  return pattern.replace(
    /'((?:[^']|'')*)'|([A-Za-z])\2*|%/g,
    (part: string, quoted: string | undefined) => {
      if (part === "%") return "%%";
      if (part === "''") return "'";
      if (quoted !== undefined) return quoted.replaceAll("''", "'").replaceAll("%", "%%");
      const letter = Object.hasOwn(letters, part) ? letters[part] : undefined;
      if (letter === undefined) throw unsupported(`the pattern letters ${part} in a time format`);
      return letter;
    },
  );
}
