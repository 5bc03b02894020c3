/**
 * Makes text from elsewhere fit to stand in a message: one line, no secrets (an
 * agent or a check repeats what it was given as it fails), no control characters,
 * bounded.
 */
import { scrubbedStart } from "./scrub.ts";

const TEXT_MAX_CHARS = 300;
/** Of the text, before its spaces are joined. */
const START_MAX_CHARS = 8_000;

export function foreignLine(
  text: string,
  { maxChars = TEXT_MAX_CHARS }: { readonly maxChars?: number } = {},
): string {
  const line = scrubbedStart(text, START_MAX_CHARS)
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim();
  return line.length > maxChars ? `${line.slice(0, maxChars)}…` : line;
}
