/**
 * What a series of the collector is called outside: a namespace in front, base
 * units at the end, as Prometheus and OpenTelemetry have it. OTLP uses the very
 * names of `/metrics`, so that one search finds a metric wherever it went.
 */
import type { SeriesSnapshot } from "../../metrics/snapshot.ts";

export const DEFAULT_NAMESPACE = "dspy";

export type MetricName = {
  readonly name: string;
  /** UCUM, as OTLP wants it; empty without one. */
  readonly unit: "" | "s";
  /** By which the value is to be divided. */
  readonly divisor: 1 | 1000;
};

export function metricNameOf(
  { kind, name }: Pick<SeriesSnapshot, "kind" | "name">,
  namespace = DEFAULT_NAMESPACE,
): MetricName {
  const plain = name.replaceAll(/[^A-Za-z0-9_]/g, "_").replace(/^(?=[0-9])/, "_");
  const withoutTotal = kind === "counter" ? plain.replace(/_total$/, "") : plain;
  const isTime = withoutTotal.endsWith("_ms");
  const base = isTime ? `${withoutTotal.slice(0, -"_ms".length)}_seconds` : withoutTotal;
  const inNamespace =
    namespace === "" || base.startsWith(`${namespace}_`) ? base : `${namespace}_${base}`;
  return {
    name: kind === "counter" ? `${inNamespace}_total` : inNamespace,
    unit: isTime ? "s" : "",
    divisor: isTime ? 1000 : 1,
  };
}
