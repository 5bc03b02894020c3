/**
 * The id of an event that telemetry gives none: a hash of what tells it from all others,
 * so that whoever writes it, and however often, gives it the same id.
 */
import { hash } from "node:crypto";

type Part = string | number | null | Readonly<Record<string, string>>;

/** Hex digits of an id: 128 bits, with which ten thousand million events collide once in 10¹⁸. */
const ID_DIGITS = 32;

/** The order of labels makes no difference. */
export function eventIdOf(...parts: readonly Part[]): string {
  let text = "";
  for (const part of parts) text += `${textOf(part)}${END}`;
  return hash("sha256", text, "hex").slice(0, ID_DIGITS);
}

/** Stands in no name or label: control characters are taken out where they come in. */
const END = "\u0000";

/** Unambiguous. */
export function textOf(part: Part): string {
  if (part === null || typeof part !== "object") return String(part);
  const labels = Object.keys(part);
  if (labels.length > 1) labels.sort();
  let text = "";
  for (const label of labels) text += `${label}${END}${part[label]}${END}`;
  return text;
}
