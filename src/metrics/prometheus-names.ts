/**
 * The one mapping from our names to Prometheus': a namespace in front, `_ms` becomes
 * `_seconds`, counters end in `_total`, and what Prometheus does not allow in a name
 * becomes `_`. `docs/metrics.md` shows it as a table.
 */
import { KIND_COUNTER, KIND_GAUGE, KIND_LATENCY, type RowKind } from "./rows.ts";

/** Of what stands in a snapshot. */
export const ROW_KINDS = {
  counter: KIND_COUNTER,
  gauge: KIND_GAUGE,
  latency: KIND_LATENCY,
} as const;

export type Family = {
  /** Of the samples of a counter or gauge, and the stem of a histogram's. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
};

const HELP: Readonly<Record<string, string>> = {
  request_latency_ms: "How long calls of agents took.",
  request_total: "Calls of agents.",
  token_total: "Tokens read and written by models.",
  workflow_latency_ms: "How long workflows took.",
  workflow_total: "Executions of workflows.",
  workflow_step_total: "Steps of workflows.",
  cache_operation_total: "Look-ups in caches.",
  metrics_rejected_total: "Records that were no measurement, such as NaN or a negative latency.",
  metrics_overflow_total: "Records counted in an overflow series because a limit was reached.",
  metrics_window_skipped_total: "Latencies of workers that came too fast for percentiles.",
};

const TYPES = {
  [KIND_COUNTER]: "counter",
  [KIND_GAUGE]: "gauge",
  [KIND_LATENCY]: "histogram",
} as const;

export function familyOf(namespace: string, kind: RowKind, name: string): Family {
  const stem = validName(`${prefixOf(namespace)}${name}`);
  const type = TYPES[kind];
  const unit =
    type === "histogram"
      ? `${stem.replace(/_ms$/, "")}_seconds`
      : type === "counter" && !stem.endsWith("_total")
        ? `${stem}_total`
        : stem;
  return { name: unit, type, help: helpOf(name) };
}

function helpOf(name: string): string {
  const own = Object.hasOwn(HELP, name) ? HELP[name] : undefined;
  return own ?? `${name}, as recorded by the service.`;
}

/** What stands in front of every name: `dspy_`, or nothing. */
export function prefixOf(namespace: string): string {
  return namespace === "" ? "" : validName(`${namespace}_`);
}

/** Every sample name that a family may use, so that no two families share one. */
export function sampleNames({ name, type }: Family): readonly string[] {
  if (type === "histogram") return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
  // A counter's family is called without `_total` in OpenMetrics.
  return type === "counter" ? [name, name.replace(/_total$/, "")] : [name];
}

function validName(name: string): string {
  const valid = name.replace(/[^a-zA-Z0-9_:]/g, "_");
  return /^[0-9]/.test(valid) || valid === "" ? `_${valid}` : valid;
}

const RESERVED_LABELS = new Set(["le", "quantile"]);

/** Valid label names, each once within a series. */
export function labelNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let valid = name.replace(/[^a-zA-Z0-9_]/g, "_");
    if (/^[0-9]/.test(valid) || valid === "") valid = `_${valid}`;
    if (RESERVED_LABELS.has(valid) || valid.startsWith("__")) valid = `exported_${valid}`;
    let unique = valid;
    for (let n = 2; taken.has(unique); n++) unique = `${valid}_${n}`;
    taken.add(unique);
    return unique;
  });
}

export function escapeLabelValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

export function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** `a="b",c="d"`; empty without labels. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  const entries = Object.entries(labels);
  const names = labelNames(entries.map(([name]) => name));
  return entries
    .map(([, value], index) => `${names[index] ?? "_"}="${escapeLabelValue(value)}"`)
    .join(",");
}

/** As Prometheus reads numbers. */
export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

/** Gives every metric a family of its own, also where two names become one. */
export function createFamilies(namespace: string) {
  const families = new Map<string, Family>();
  const taken = new Set<string>();
  return (kind: RowKind, name: string): Family => {
    const key = `${kind}${name}`;
    const known = families.get(key);
    if (known) return known;
    let family = familyOf(namespace, kind, name);
    for (let n = 2; sampleNames(family).some((sample) => taken.has(sample)); n++) {
      family = {
        ...familyOf(namespace, kind, `${name.replace(/_(ms|total)$/, "")}_${n}`),
        help: family.help,
      };
    }
    for (const sample of sampleNames(family)) taken.add(sample);
    families.set(key, family);
    return family;
  };
}
