/**
 * What the address says: which view, which agent, which range. The hash holds all
 * of it, so a link shows the receiver what the sender saw. Anything that can't be
 * read falls back to the overview of the last five minutes.
 */
import type { ReleaseFilter } from "./api.ts";

export const RANGES = ["5m", "15m", "1h", "6h", "24h", "7d", "30d"] as const;
export type Range = (typeof RANGES)[number];

export const CHARTS = ["latency", "traffic", "errors", "tokens", "cost"] as const;
export type ChartId = (typeof CHARTS)[number];

export type Route =
  | { readonly view: "overview"; readonly range: Range }
  | {
      readonly view: "agent";
      readonly endpoint: string;
      readonly range: Range;
      /** The chart that is open large. */
      readonly chart: ChartId | null;
      /** Whose calls the modules and models show. */
      readonly of: ReleaseFilter;
    };

export type AgentRoute = Extract<Route, { readonly view: "agent" }>;

const EVERY_RELEASE: ReleaseFilter = { release: null, modelVersion: null };

const DEFAULT_RANGE: Range = "5m";

const RANGE_WORDS: Record<Range, string> = {
  "5m": "5 minutes",
  "15m": "15 minutes",
  "1h": "hour",
  "6h": "6 hours",
  "24h": "24 hours",
  "7d": "7 days",
  "30d": "30 days",
};

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const asked = new URLSearchParams(query);
  const range = RANGES.find((known) => known === asked.get("range")) ?? DEFAULT_RANGE;

  const endpoint = decode(/^\/agents\/([^/]+)\/?$/.exec(path)?.[1]);
  if (!endpoint) return { view: "overview", range };
  const chart = CHARTS.find((known) => known === asked.get("chart")) ?? null;
  const of = { release: asked.get("release"), modelVersion: asked.get("modelVersion") };
  return { view: "agent", endpoint, range, chart, of };
}

export function routeHref(route: Route): string {
  if (route.view === "overview") return `#/?range=${route.range}`;
  const chart = route.chart ? `&chart=${route.chart}` : "";
  return `#/agents/${encodeURIComponent(route.endpoint)}?range=${route.range}${chart}${asked(route.of)}`;
}

export function overviewHref(range: Range): string {
  return routeHref({ view: "overview", range });
}

export function agentHref(endpoint: string, range: Range): string {
  return routeHref({ view: "agent", endpoint, range, chart: null, of: EVERY_RELEASE });
}

/** Relative, because the page may stand below any path, such as behind a proxy. */
export function apiPath(route: Route): string {
  if (route.view === "overview") return `api/overview?range=${route.range}`;
  return `api/agents/${encodeURIComponent(route.endpoint)}?range=${route.range}${asked(route.of)}`;
}

function asked(of: ReleaseFilter): string {
  return (["release", "modelVersion"] as const)
    .map((name) => (of[name] ? `&${name}=${encodeURIComponent(of[name])}` : ""))
    .join("");
}

/** `5 minutes` for "the last …" and "the … before". */
export function rangeWords(range: Range): string {
  return RANGE_WORDS[range];
}

function decode(part: string | undefined): string | null {
  if (!part) return null;
  try {
    return decodeURIComponent(part);
  } catch {
    return null; // A cut-off escape such as "%E0%A4", from a link broken in a mail.
  }
}
