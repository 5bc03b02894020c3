/**
 * Parses JSON without losing digits: whole numbers beyond 2^53, such as the
 * nanoseconds that MLflow writes as numbers, become text. All else is as
 * `JSON.parse` has it.
 */

/** Of Node 22 and later; TypeScript's library of ES2024 does not know the third argument yet. */
type Parse = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** @throws SyntaxError for what is no JSON, RangeError for what nests some thousands deep. */
export function parseExactJson(text: string): unknown {
  return (JSON.parse as Parse)(text, (_, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && isWhole(source) ? source : value,
  );
}

function isWhole(source: string | undefined): boolean {
  return source !== undefined && /^-?\d+$/.test(source);
}
