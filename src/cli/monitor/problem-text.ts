/** What is said on the terminal when a source begins to fail: it may end up in somebody's log. */
import { MonitorError } from "../../monitor-error.ts";
import { foreignLine } from "../../signals/foreign-line.ts";

/** Longest message; it ends in the words of the workspace. */
const MESSAGE_MAX_CHARS = 600;

export function problemText(source: string, error: unknown): string {
  const what =
    error instanceof MonitorError
      ? `${foreignLine(error.message, { maxChars: MESSAGE_MAX_CHARS })}\n  Hint: ${error.hint}`
      : "unknown";
  return `${source} can't be read: ${what}`;
}
