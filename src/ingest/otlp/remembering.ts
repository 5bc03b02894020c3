/**
 * Names come again with every trace: what is worked out of one is remembered, in a tenth
 * of the time that a regular expression takes.
 */

/** Texts that are remembered. At the bound all are forgotten, so that a flood of names ends in no full memory. */
export const REMEMBERED_MAX = 4_096;
/** Longest text that is remembered, in characters. */
const LENGTH_MAX = 256;

/** @param workOut pure. */
export function remembering<T>(workOut: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const result = workOut(text);
    if (text.length > LENGTH_MAX) return result;
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(text, result);
    return result;
  };
}

/**
 * As `remembering`, of what is the same many times in a row, such as the attributes that the
 * spans of one resource share. Nothing older is kept.
 *
 * @param workOut pure, of what does not change any more.
 */
export function rememberingLast<K, T>(workOut: (of: K) => T): (of: K) => T {
  let last: { readonly of: K; readonly result: T } | null = null;
  return (of) => {
    if (last?.of !== of) last = { of, result: workOut(of) };
    return last.result;
  };
}
