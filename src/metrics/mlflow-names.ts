/**
 * Figures under names that MLflow accepts: letters, digits, `_`, `-`, `.`, space, `:`
 * and `/`, at most 250 characters. A series' labels follow its name:
 * `request_total/endpoint.qa/status_code.200`.
 */
import type { SeriesLabels } from "./snapshot.ts";

const NAME_MAX_CHARS = 250;
/** MLflow takes 1 000 metrics in a batch; more would be a run that nobody can read. */
export const MLFLOW_METRICS_MAX = 1_000;

export function mlflowName(name: string, labels: SeriesLabels): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}.${value}`);
  // A part that is empty, `.` or `..` would make it a path that MLflow refuses.
  const full = [name, ...parts].map((part) => valid(part) || "_").join("/");
  return full.slice(0, NAME_MAX_CHARS);
}

function valid(part: string): string {
  return part.replace(/[^\w.\- :]/g, "_").replace(/^\.+$/, "_");
}

/** Adds a figure under its name, or the nearest one that is free. */
export function putFigure(figures: Map<string, number>, name: string, value: number): void {
  if (!Number.isFinite(value) || figures.size >= MLFLOW_METRICS_MAX) return;
  let unique = name;
  for (let n = 2; figures.has(unique); n++) {
    const suffix = `_${n}`;
    unique = name.slice(0, NAME_MAX_CHARS - suffix.length) + suffix;
  }
  figures.set(unique, value);
}
