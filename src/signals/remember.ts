/** What was found out about names of fields, so that it is found out once. Bounded in number and length. */

/** Names of fields that are remembered. Services use few. */
const KEYS_MAX = 2_000;

const KEY_MAX_CHARS = 64;

/** Not what is long, because it may vary, and never what holds a secret, which the caller leaves out. */
export function remember<T>(known: Map<string, T>, key: string, value: T): void {
  if (key === "" || key.length > KEY_MAX_CHARS) return;
  if (known.size >= KEYS_MAX) known.clear();
  // A copy, because the name may be a part of a long text.
  known.set(` ${key}`.slice(1), value);
}
