/**
 * What to answer whoever scrapes a service: OpenMetrics, with its exemplars, to a
 * client that asks for it, and Prometheus text to everybody else.
 */
import { checkMethods } from "../option.ts";
import type { MetricsCollector } from "./metrics-collector.ts";

/** Source: Prometheus, "Exposition formats". */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
/** Source: OpenMetrics 1.0, "Protocol negotiation". */
export const OPEN_METRICS_CONTENT_TYPE =
  "application/openmetrics-text; version=1.0.0; charset=utf-8";

export type MetricsResponse = { readonly contentType: string; readonly body: string };

/** Longest `Accept` header that is read, in UTF-16 units. A longer one gets text. */
const ACCEPT_MAX_CHARS = 2_048;
const OPEN_METRICS_VERSIONS: ReadonlySet<string | undefined> = new Set([
  undefined,
  "0.0.1",
  "1.0.0",
]);

/** @param accept the request's `Accept` header, if it has one. */
export function metricsResponse(
  metrics: Pick<MetricsCollector, "exportPrometheusFormat">,
  accept?: string | null,
): MetricsResponse {
  checkMethods("metrics", metrics, {
    methods: ["exportPrometheusFormat"],
    hint: "Give a MetricsCollector.",
  });
  const openMetrics = typeof accept === "string" && wantsOpenMetrics(accept);
  return {
    contentType: openMetrics ? OPEN_METRICS_CONTENT_TYPE : PROMETHEUS_CONTENT_TYPE,
    body: metrics.exportPrometheusFormat({ openMetrics }),
  };
}

/** Whether OpenMetrics is asked for by name, and no less than text. */
export function wantsOpenMetrics(accept: string): boolean {
  if (accept.length > ACCEPT_MAX_CHARS) return false;
  let openMetrics = 0;
  let text: number | null = null;
  for (const range of accept.split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const value = (name: string) =>
      parameters
        .find((parameter) => parameter.startsWith(`${name}=`))
        ?.slice(name.length + 1)
        .replaceAll('"', "");
    const weight = weightOf(value("q"));
    const version = value("version");
    if (type === "application/openmetrics-text" && OPEN_METRICS_VERSIONS.has(version)) {
      openMetrics = Math.max(openMetrics, weight);
    } else if (type === "text/plain" && (version === undefined || version === "0.0.4")) {
      text = Math.max(text ?? 0, weight);
    }
  }
  return openMetrics > 0 && openMetrics >= (text ?? 0);
}

function weightOf(q: string | undefined): number {
  if (q === undefined) return 1;
  const weight = Number(q);
  return weight >= 0 && weight <= 1 ? weight : 0;
}
