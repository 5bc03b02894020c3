/**
 * The id of an event that telemetry gives none: a hash of what tells it from all others,
 * so that whoever writes it, and however often, gives it the same id.
 */
import { createHash } from "node:crypto";

type Part = string | number | null | Readonly<Record<string, string>>;

/** Hex digits of an id: 128 bits, with which ten thousand million events collide once in 10¹⁸. */
const ID_DIGITS = 32;

/** The order of labels makes no difference. */
export function eventIdOf(...parts: readonly Part[]): string {
  const text = JSON.stringify(parts.map(sorted));
  return createHash("sha256").update(text).digest("hex").slice(0, ID_DIGITS);
}

function sorted(part: Part): unknown {
  return part !== null && typeof part === "object"
    ? Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))
    : part;
}
