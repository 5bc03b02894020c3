/**
 * `snake_case`, as keys are written in YAML, and `camelCase`, as they are called in
 * TypeScript. Names that the user chose, such as those of environment variables, stay.
 */

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

/** A map with any keys is one whose keys the user chose. */
export type CamelKeys<T> = T extends readonly (infer Item)[]
  ? readonly CamelKeys<Item>[]
  : T extends object
    ? string extends keyof T
      ? Readonly<T>
      : { readonly [Key in keyof T as Key extends string ? Camel<Key> : Key]: CamelKeys<T[Key]> }
    : T;

export const camelOf = (key: string): string =>
  key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

export const snakeOf = (key: string): string =>
  key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** @param userMaps keys whose value is a map that the user named the keys of. */
export function camelKeys<T>(value: T, userMaps: readonly string[]): CamelKeys<T> {
  // What the types say is done here, key by key.
  return withCamelKeys(value, userMaps) as CamelKeys<T>;
}

function withCamelKeys(value: unknown, userMaps: readonly string[]): unknown {
  if (Array.isArray(value))
    return Object.freeze(value.map((item) => withCamelKeys(item, userMaps)));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [
    camelOf(key),
    userMaps.includes(key) ? Object.freeze(item) : withCamelKeys(item, userMaps),
  ]);
  return Object.freeze(Object.fromEntries(entries));
}
