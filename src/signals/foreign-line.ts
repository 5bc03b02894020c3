/**
 * Makes text from elsewhere fit to stand in a message: one line, no secrets (an
 * agent or a check repeats what it was given as it fails), no control characters,
 * bounded.
 */
import { scrub } from "./scrub.ts";

const TEXT_MAX_CHARS = 300;
/** Far more than is kept, so that no secret is cut before it is recognised. */
const SCRUBBED_MAX_CHARS = 16_384;

export function foreignLine(
  text: string,
  { maxChars = TEXT_MAX_CHARS }: { readonly maxChars?: number } = {},
): string {
  const line = scrub(text.slice(0, SCRUBBED_MAX_CHARS))
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim();
  return line.length > maxChars ? `${line.slice(0, maxChars)}…` : line;
}
