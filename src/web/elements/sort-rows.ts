/**
 * The order of a table's rows: as they came, until someone asks for another. Pure.
 * What is unknown stands last either way, since it is neither little nor much.
 */
export type SortValue = number | string | null;
export type Sort = { readonly columnId: string; readonly direction: "ascending" | "descending" };

/** Numbers begin with the highest, names with the first; the third click ends it. */
export function nextSort(
  sort: Sort | null,
  column: { readonly id: string; readonly text?: true },
): Sort | null {
  const first = column.text ? "ascending" : "descending";
  if (sort?.columnId !== column.id) return { columnId: column.id, direction: first };
  if (sort.direction !== first) return null;
  return { columnId: column.id, direction: first === "ascending" ? "descending" : "ascending" };
}

/** Rows that are equal keep the order in which they came. */
export function sortRows<Row>(
  rows: readonly Row[],
  sortBy: (row: Row) => SortValue,
  direction: Sort["direction"],
): Row[] {
  const sign = direction === "ascending" ? 1 : -1;
  return rows
    .map((row) => ({ row, value: sortBy(row) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) {
        return Number(a.value === null) - Number(b.value === null);
      }
      return sign * compare(a.value, b.value);
    })
    .map(({ row }) => row);
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}
