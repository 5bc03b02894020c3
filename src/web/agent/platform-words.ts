/** Databricks' endpoint metrics in words: the exported names are made for machines. */
import type { AgentView } from "../api.ts";
import { formatCount, formatDuration, formatPercent } from "../format.ts";

type Metric = NonNullable<AgentView["platform"]>[number];

/** Source: Databricks, "Monitor model serving endpoints", metrics export. */
const NAMES: Readonly<Record<string, string>> = {
  provisioned_concurrent_requests_total: "Provisioned concurrency",
  request_count_total: "Requests",
  request_4xx_count_total: "Refused (4xx)",
  request_5xx_count_total: "Failed (5xx)",
  cpu_usage_percentage: "CPU",
  mem_usage_percentage: "Memory",
  gpu_usage_percentage: "GPU",
  gpu_memory_usage_percentage: "GPU memory",
};

export function platformName({ name }: Metric): string {
  return NAMES[name] ?? name.replaceAll("_", " ");
}

export function platformValue({ value, unit }: Metric): string {
  if (unit === "ms") return formatDuration(value);
  if (unit === "percent" || unit === "%") return formatPercent(value);
  return unit ? `${formatCount(value)}\u00a0${unit}` : formatCount(value);
}
