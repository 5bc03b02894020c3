/**
 * Reads values of others that may fight back: getters that throw, proxies, objects
 * that cannot be turned into text.
 */

/** A field's value, or `undefined` when reading it throws. */
export function field(value: object, name: string): unknown {
  try {
    return Reflect.get(value, name);
  } catch {
    return undefined;
  }
}

export const UNREADABLE = "[unreadable]";

/** Any value as text; never throws. */
export function asText(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    if (value instanceof Error) return asText(value.message);
    return String(value);
  } catch {
    return UNREADABLE;
  }
}
