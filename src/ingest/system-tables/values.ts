/** Values on their way into a statement about system tables, and out of its rows. */

/** Such as `2026-11-26`, in UTC, which system tables count by. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

/** An id as a text of SQL. It comes from Databricks, and is no place for anything else. */
export function quotedText(id: string): string {
  return `'${id.replaceAll(/[^\w-]/g, "")}'`;
}

export function numberOf(text: string | null | undefined): number | null {
  if (text === null || text === undefined || text === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}
