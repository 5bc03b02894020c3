/**
 * What of a container's logs explains why it did not start. The last lines alone do not:
 * whatever started the failing process adds its own stack after it. So the exceptions come
 * first, the earliest one first, since the others are its consequences.
 */
import { foreignLine } from "../../signals/foreign-line.ts";

/** Exceptions that are told. */
const CAUSES_MAX = 6;
const LAST_LINES_MAX = 10;
const LINE_MAX_CHARS = 300;

/** `ValueError: …`, `mlflow.exceptions.MlflowException: …`, `ERROR: No matching distribution …`. */
const EXCEPTION =
  /^\s*(?:(?:[A-Za-z_][\w.]*)?(?:Error|Exception|Exit|Interrupt)|ERROR|error)\b ?: \S/;
/** The marks below a line of a stack. */
const MARKS = /^[\s^~]*$/;

export type LogExplanation = {
  readonly causes: readonly string[];
  readonly lastLines: readonly string[];
};

export function explainLogs(logs: string): LogExplanation {
  const lines = logs
    .split("\n")
    .filter((line) => !MARKS.test(line))
    // A spaced-in line keeps its place in a stack.
    .map(
      (line) => `${/^\s*/.exec(line)?.[0] ?? ""}${foreignLine(line, { maxChars: LINE_MAX_CHARS })}`,
    );
  const causes = lines.filter((line) => EXCEPTION.test(line)).map((line) => line.trim());
  return {
    causes: [...new Set(causes)].slice(0, CAUSES_MAX),
    lastLines: lines.slice(-LAST_LINES_MAX),
  };
}
