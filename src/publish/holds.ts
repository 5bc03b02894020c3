/** Whether all that is wanted is there; what Databricks adds of its own does not count. */
export function holds(there: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    const list: readonly unknown[] = Array.isArray(there) ? there : [];
    return list.length === wanted.length && wanted.every((item, at) => holds(list[at], item));
  }
  if (wanted !== null && typeof wanted === "object") {
    return Object.entries(wanted).every(([name, value]) =>
      holds(Reflect.get(Object(there), name), value),
    );
  }
  // Numbers come back as they were written, with all digits.
  return typeof wanted === "number" ? Number(there) === wanted : there === wanted;
}
