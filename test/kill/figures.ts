/** What the monitor says over HTTP, and what it should say, in the same shape. */
import assert from "node:assert/strict";
import type { AgentView, Overview } from "../../src/web/api.ts";
import type { Copy } from "./recordings.ts";

export type Figures = {
  requests: number;
  /** Of the agent: without the requests that their callers gave up. */
  failed: number;
  inputTokens: number;
  outputTokens: number;
  /** Rounded, because sums of fractions depend on their order. */
  costUsd: number;
  cacheHits: number;
  lmCalls: number;
  /** Calls by kind and path. */
  calls: Record<string, number>;
  /** Failures, and of these the ones that the request survived, by type, class and path. */
  errors: Record<string, { count: number; handled: number }>;
};

export type FiguresByAgent = Record<string, Figures>;

function noFigures(): Figures {
  return {
    requests: 0,
    failed: 0,
    inputTokens: 0,
    outputTokens: 0,
    costUsd: 0,
    cacheHits: 0,
    lmCalls: 0,
    calls: {},
    errors: {},
  };
}

/** Each copy once, however often it was sent. */
export function expectedFigures(copies: readonly Copy[]): FiguresByAgent {
  const byAgent: FiguresByAgent = {};
  for (const { expected } of copies) {
    byAgent[expected.endpoint] ??= noFigures();
    const figures = byAgent[expected.endpoint] ?? noFigures();
    figures.requests += expected.requests;
    figures.failed += expected.failed - expected.errors.filter(isGivenUp).length;
    figures.inputTokens += expected.tokens?.input ?? 0;
    figures.outputTokens += expected.tokens?.output ?? 0;
    figures.costUsd += expected.toldCostUsd ?? 0;
    figures.cacheHits += expected.cacheHits ?? 0;
    figures.lmCalls += expected.lmCalls;
    addCalls(figures, "module", expected.moduleCalls);
    addCalls(figures, "retriever", expected.retrieverCalls);
    addCalls(figures, "tool", expected.toolCalls);
    for (const error of expected.errors)
      addErrors(figures, { ...error, count: 1, handled: error.handled ? 1 : 0 });
  }
  return sorted(byAgent);
}

function isGivenUp({ errorClass, handled }: Copy["expected"]["errors"][number]): boolean {
  return errorClass === "client" && !handled;
}

function addCalls(
  { calls }: Figures,
  kind: string,
  counts: Readonly<Record<string, number>>,
): void {
  for (const [path, count] of Object.entries(counts)) {
    const place = `${kind} ${path}`;
    calls[place] = (calls[place] ?? 0) + count;
  }
}

type Errors = { type: string; errorClass: string; path: string; count: number; handled: number };

function addErrors({ errors }: Figures, { type, errorClass, path, count, handled }: Errors): void {
  const key = `${type} (${errorClass}) in ${path}`;
  const known = errors[key] ?? { count: 0, handled: 0 };
  errors[key] = { count: known.count + count, handled: known.handled + handled };
}

/** What the page shows over the last hour. */
export async function shownFigures(url: string): Promise<FiguresByAgent> {
  const { agents } = await overviewOf(url);
  const byAgent: FiguresByAgent = {};
  for (const { endpoint, requests, failed, tokens, costUsd, costSource, cacheHits } of agents) {
    const { modules, models, errorGroups } = await agentViewOf(url, endpoint);
    const figures: Figures = {
      ...noFigures(),
      requests,
      failed,
      inputTokens: tokens?.input ?? 0,
      outputTokens: tokens?.output ?? 0,
      // The recordings say what telemetry told; what the price book gives is tested elsewhere.
      costUsd: costSource === "price_book" ? 0 : (costUsd ?? 0),
      cacheHits: cacheHits ?? 0,
      lmCalls: models.reduce((sum, { calls }) => sum + calls, 0),
    };
    for (const { kind, path, calls } of modules) addCalls(figures, kind, { [path]: calls });
    for (const group of errorGroups) addErrors(figures, group);
    byAgent[endpoint] = figures;
  }
  return sorted(byAgent);
}

/** What Prometheus scrapes: since the start of the process only. */
export async function scrapedFigures(url: string): Promise<Record<string, Partial<Figures>>> {
  const text = await textOf(`${url}/metrics`);
  const byAgent: Record<string, Partial<Figures>> = {};
  for (const endpoint of new Set(
    Array.from(text.matchAll(/endpoint="([^"]*)"/g), ([, e]) => e ?? ""),
  )) {
    const sum = (name: string, label = "") =>
      samplesOf(text, name)
        .filter(({ labels }) => labels.includes(`endpoint="${endpoint}"`) && labels.includes(label))
        .reduce((total, { value }) => total + value, 0);
    const calls: Record<string, number> = {};
    for (const { labels, value } of samplesOf(text, "dspy_module_calls_total")) {
      const labelOf = (name: string) =>
        new RegExp(`(?:^|,)${name}="(.*?)"(?:,|$)`).exec(labels)?.[1];
      const place = `${labelOf("kind")} ${labelOf("path")}`;
      if (labelOf("endpoint") === endpoint && value > 0) calls[place] = (calls[place] ?? 0) + value;
    }
    const requests = sum("dspy_request_total");
    if (requests === 0) continue; // known from before, not called since
    byAgent[endpoint] = {
      requests,
      failed:
        sum("dspy_request_failures_total") -
        sum("dspy_request_failures_total", 'error_class="client"'),
      inputTokens: sum("dspy_token_total", 'direction="input"'),
      outputTokens: sum("dspy_token_total", 'direction="output"'),
      cacheHits: sum("dspy_cache_hits_total"),
      calls,
    };
  }
  return sorted(byAgent);
}

/** The same part of what is expected. */
export function scrapedPart(byAgent: FiguresByAgent): Record<string, Partial<Figures>> {
  return Object.fromEntries(
    Object.entries(byAgent).map(
      ([endpoint, { requests, failed, inputTokens, outputTokens, cacheHits, calls }]) => [
        endpoint,
        { requests, failed, inputTokens, outputTokens, cacheHits, calls },
      ],
    ),
  );
}

/** The sum of the samples of `/metrics` whose labels hold `label`; 0 when there is none. */
export async function scrapedValue(url: string, name: string, label = ""): Promise<number> {
  return samplesOf(await textOf(`${url}/metrics`), name)
    .filter(({ labels }) => labels.includes(label))
    .reduce((sum, { value }) => sum + value, 0);
}

/** What was left out, by reason. */
export async function droppedReasons(url: string): Promise<string[]> {
  return (await overviewOf(url)).dropped.map(({ reason }) => reason);
}

function samplesOf(text: string, name: string): { labels: string; value: number }[] {
  return Array.from(
    text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, "gm")),
    (match) => ({
      labels: match[1] ?? "",
      value: Number(match[2]),
    }),
  );
}

/**
 * Everything that both views show, without what moves with the clock: a process
 * killed while nothing happens must show the same after its restart.
 */
export async function shownState(url: string): Promise<unknown> {
  return without(movesWithClock, await viewsOf(url));
}

/**
 * The same without what alerts say: one whose hold time runs out fires by itself,
 * and a restart on a busy machine takes longer than that.
 */
export async function shownBesideAlerts(url: string): Promise<unknown> {
  const views = (await viewsOf(url)).map((view) => ({
    ...view,
    changes: view.changes.filter(({ kind }) => kind !== "alert"),
  }));
  return without(new Set([...movesWithClock, "alerts", "status", "word"]), views);
}

async function viewsOf(url: string): Promise<(Overview | AgentView)[]> {
  const overview = await overviewOf(url);
  const views = overview.agents.map(({ endpoint }) => agentViewOf(url, endpoint));
  return [overview, ...(await Promise.all(views))];
}

const movesWithClock = new Set([
  "asOfMs",
  "startedMs",
  "requestsPerSecond",
  // The steps of charts: the newest is shown once it is over.
  "series",
  "traffic",
  "trafficFailed",
  "trend",
  "sentence",
  // What each rule measured last, over windows of seconds.
  "rules",
  // Of a notification that waits: it is tried again all the time.
  "attempts",
]);

function without(keys: ReadonlySet<string>, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((inner) => without(keys, inner));
  if (typeof value === "string") return value.replace(/ for \d+ (s|min)\b/g, " for some time");
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !keys.has(key))
      .map(([key, inner]) => [key, without(keys, inner)]),
  );
}

export async function overviewOf(url: string): Promise<Overview> {
  return JSON.parse(await textOf(`${url}/api/overview?range=1h`));
}

async function agentViewOf(url: string, endpoint: string): Promise<AgentView> {
  return JSON.parse(await textOf(`${url}/api/agents/${encodeURIComponent(endpoint)}?range=1h`));
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
}

/** Rounds costs, and orders keys so that two are easy to compare by eye. */
function sorted<T extends Partial<Figures>>(byAgent: Record<string, T>): Record<string, T> {
  const byKey = <V>(record: Record<string, V> | undefined): Record<string, V> =>
    Object.fromEntries(Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const figures of Object.values(byAgent)) {
    // Costs are whole multiples of a hundred-millionth, added up in another order: nothing lies half-way.
    if (figures.costUsd !== undefined) figures.costUsd = Math.round(figures.costUsd * 1e10) / 1e10;
    if (figures.calls) figures.calls = byKey(figures.calls);
    if (figures.errors) figures.errors = byKey(figures.errors);
  }
  return byKey(byAgent);
}
