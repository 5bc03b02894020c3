/**
 * What the page reads: the answers of `GET /api/overview` and
 * `GET /api/agents/{endpoint}`, both with `?range=5m|15m|1h|6h|24h|7d|30d`, the latter also with
 * `&release=NAME` or `&modelVersion=3` for its modules and models. The server
 * is compiled against these types in `src/server/api.ts`.
 *
 * Times are Unix milliseconds. What is not known is `null`, never 0.
 */
export type Status = "healthy" | "warning" | "critical" | "unknown";

export type Percentiles = { p50: number; p95: number; p99: number };
export type Tokens = {
  input: number;
  output: number;
  /** Parts of `input` that the provider's prompt cache served or took; absent where not told. */
  cacheRead?: number;
  cacheWrite?: number;
};

/** What model calls cost, and how that is known. */
export type CostFigures = {
  /** Of the calls whose cost is known: all but `unpricedCalls`. */
  costUsd: number | null;
  /** `told` by telemetry, from the `price_book`, or a sum of `both`. */
  costSource: "told" | "price_book" | "both" | null;
  /** Model calls that used tokens, for which neither telemetry nor the price book has a cost. */
  unpricedCalls: number;
  /** What the answers of DSPy's cache would have cost, where telemetry tells. Part of no cost. */
  savedCostUsd: number | null;
};

/** The sentence that every view opens with. The headline is set in bold. */
export type Sentence = { status: Status; headline: string; detail: string };

export type Source = {
  /** `local`: the example workspace on this machine; `workspace`: Databricks; `receiver`: OTLP only. */
  kind: "local" | "workspace" | "receiver";
  host: string | null;
  /** `recorded`: telemetry that real DSPy programs made, sent again with present times. */
  telemetry: "recorded" | "live";
};

/**
 * Where the figures of the range come from: live ones are of this moment and go back a day,
 * summaries of the history are written once a minute. What is told of alerts, health and
 * state is of this moment in both.
 */
export type FiguresFrom = {
  from: "live" | "summaries";
  asOfMs: number;
  /** Since when anything is known at all, of this agent or another. */
  sinceMs: number;
};

/** Requests that DSPy's cache answered wholly, or not. */
export type CacheSide = { requests: number; latencyMs: Percentiles | null };

export type AgentRow = CostFigures & {
  endpoint: string;
  status: Status;
  /** The state in a word: `healthy`, `slow`, `failing`, `down`, `telemetry lost`, `cold`, `stopped`, `quiet`. */
  word: string;
  modelVersion: string | null;
  /** Who made the telemetry: `callback`, `openinference`, `mlflow`, `genai`, `none`. */
  conventions: string[];
  /** Those that are known. */
  requests: number;
  /** How many there were, where the endpoint logs only a share of them; `null` where all are known. */
  requestsEstimated: number | null;
  /** Because of the agent, as the error rate says. */
  failed: number;
  /** Of all, also where only a share is known. */
  requestsPerSecond: number;
  /** What failed because of the agent. */
  errorRatePercent: number | null;
  /** What the endpoint refused – too many requests (429), wrong ones (other 4xx) – or its caller gave up. */
  refusedRatePercent: number | null;
  latencyMs: Percentiles | null;
  tokens: Tokens | null;
  cacheHits: number | null;
  /** `null` where telemetry does not tell the cache. */
  byCache: { hit: CacheSide; miss: CacheSide } | null;
  lastRequestMs: number | null;
  /** Share, 0 to 1, of the spans in this range whose parent never came; `null` without a span. */
  orphanSpanRatio: number | null;
  /** Requests in this range whose root span never came: sampled, or lost on the way. */
  incompleteRequests: number;
  /**
   * Whether these figures are how it is now, and if not, why: nobody calls it; it is called and
   * its telemetry is lost, or it never sent any; the workspace is late, or may not be read; or
   * it is silent, and nothing but its own telemetry could tell why.
   */
  freshness:
    | "fresh"
    | "no_traffic"
    | "telemetry_lost"
    | "no_telemetry"
    | "late"
    | "denied"
    | "silent";
  health: {
    status: "healthy" | "degraded" | "unhealthy" | "unknown";
    state: string;
    message: string;
  } | null;
  /** Requests per slice over the range, oldest first, and how many of them failed. */
  traffic: number[];
  trafficFailed: number[];
};

export type RuleKind =
  | "latency_p99"
  | "slow_requests"
  | "error_rate"
  | "endpoint_not_ready"
  | "workspace_unreadable"
  | "export_lagging";

export type AlertRow = {
  ruleId: string;
  /** `null` once its rule is gone. */
  kind: RuleKind | null;
  /** `null`: it is about the workspace. */
  endpoint: string | null;
  state: "pending" | "firing" | "resolved";
  sinceMs: number;
  value: number | null;
  threshold: number;
  /** `ms`, `requests`, `percent`, `state`. */
  unit: string;
  reason: string;
};

/** What one rule says of one endpoint, also while all is well. */
export type RuleRow = {
  ruleId: string;
  kind: RuleKind;
  /** `null`: it is about the workspace. */
  endpoint: string | null;
  /** Whether it was set for this endpoint, or is built in. */
  origin: "own" | "built_in";
  state: "inactive" | "pending" | "firing" | "resolved";
  /** `null` while it is inactive. */
  sinceMs: number | null;
  /** What was measured last; `null` while nothing was. */
  value: number | null;
  threshold: number;
  unit: string;
  windowSeconds: number;
  /** With fewer requests in the window it is not judged. */
  minRequests: number;
  /** Of `slow_requests`: slower than this is slow. */
  slowerThanMs: number | null;
  /** A breach lasts this long before anybody is told. */
  holdSeconds: number;
  /** Empty while it is inactive. */
  reason: string;
};

/** The answer of `GET /api/rules`, with `?endpoint=NAME` for those of one. */
export type RulesAnswer = {
  asOfMs: number;
  /** When this monitor was started: it is another one when this differs. */
  startedMs: number;
  rules: RuleRow[];
};

export type ChangeRow = {
  timeMs: number;
  kind: "alert" | "error_group" | "notification" | "health" | "deployment";
  endpoint: string | null;
  /** `pending`, `firing`, `resolved`, `new`, `sent`, `failed`, a health status. */
  to: string;
  text: string;
};

export type NotificationRow = {
  id: string;
  timeMs: number;
  /** Such as `slack`. */
  channel: string;
  /** `null`: it is about the workspace. */
  endpoint: string | null;
  state: "sent" | "failed" | "waiting";
  attempts: number;
  /** The message as the channel shows it, in Slack's mrkdwn. */
  text: string;
  /** Why the last attempt failed. */
  problem: string | null;
};

export type ErrorGroupRow = {
  group: string;
  /** The agent in which it happened most. */
  endpoint: string;
  /** Other agents with the same error, which the counts include; at most five are named. */
  alsoIn: string[];
  /** How many agents it is. */
  agents: number;
  errorClass: string;
  type: string;
  /** Where it happened, such as `self.generate.predict`. */
  path: string;
  message: string;
  /** The message in one line, cut so that it differs from those of the other rows. */
  line: string;
  count: number;
  /** Failures that the request survived. */
  handled: number;
  firstMs: number;
  lastMs: number;
  trend: number[];
};

export type ComponentRow = {
  component: string;
  endpoint: string | null;
  status: "healthy" | "degraded" | "unhealthy" | "unknown";
  state: string;
  message: string;
  latencyMs: number | null;
  sinceMs: number;
  checkedMs: number;
};

export type DataRow = {
  /** Such as `Traces`, `Endpoint metrics`. */
  name: string;
  state: "ok" | "failing" | "waiting";
  asOfMs: number | null;
  message: string;
};

/** What goes on to another OTLP receiver, one for each signal. */
export type ForwardingRow = {
  signal: "traces" | "metrics";
  /** Without path and headers. */
  origin: string;
  /** Spans or data points that the receiver has taken since the start. */
  forwarded: number;
  lastForwardedMs: number | null;
  waiting: number;
  waitingBytes: number;
  /** How long the oldest that waits has been waiting; 0 when nothing does. */
  lagSeconds: number;
  /** Spans or data points since the start, by reason. */
  dropped: { reason: string; count: number }[];
  /** Why the receiver has not got what waits; `null` while it takes it. */
  problem: string | null;
};

/** How one export of the history stands. */
export type ExportRow = {
  /** Such as `ml.monitoring.agent_monitoring`, or a directory. */
  target: string;
  state: "waiting" | "ok" | "lagging" | "failing" | "parked";
  isRunning: boolean;
  lastRunMs: number | null;
  /** All that was sealed before is there; `null`: never yet. */
  asOfMs: number | null;
  lagMs: number | null;
  /** Of the last run that came to its end. */
  rows: number | null;
  /** Since the monitor was started. */
  rowsTotal: number;
  runsTotal: number;
  failuresTotal: number;
  /** How far two runs are apart. */
  periodMs: number;
  /** Why it does not work, and what to do about it. */
  reason: string | null;
  nextRunMs: number;
};

/** The answer of `GET /api/exports`. */
export type ExportsAnswer = { asOfMs: number; startedMs: number; exports: ExportRow[] };

export type Overview = {
  asOfMs: number;
  startedMs: number;
  rangeSeconds: number;
  sliceSeconds: number;
  figures: FiguresFrom;
  source: Source;
  sentence: Sentence;
  agents: AgentRow[];
  alerts: AlertRow[];
  changes: ChangeRow[];
  notifications: NotificationRow[];
  errorGroups: ErrorGroupRow[];
  health: ComponentRow[];
  data: DataRow[];
  /** Empty where nothing is forwarded. */
  forwarding: ForwardingRow[];
  /** As `dspy_telemetry_dropped_total`, but ever: since the history that is kept began. */
  dropped: { reason: string; count: number }[];
  /** Of all agents together. */
  orphanSpanRatio: number | null;
  incompleteRequests: number;
};

export type ModuleRow = CostFigures & {
  /** The class of the DSPy program: paths begin at `self` in each. */
  program: string;
  /** `self.rag.generate`, or the span's name where telemetry has no path. */
  path: string;
  pathSource: "attribute" | "span";
  kind: "module" | "tool" | "retriever";
  /** Place in the tree: rows come in tree order, a child below its parent. */
  depth: number;
  calls: number;
  errors: number;
  latencyMs: Percentiles | null;
  /** The part of the latency that was not spent in modules below. The module's own model calls are in it. */
  selfMs: Percentiles | null;
  /** Model calls that this module made itself, so that rows add up. */
  lmCalls: number;
  /** Answers that could not be read as what was asked for; also where a fallback then succeeded. */
  parseFailures: number;
  /** Failed calls of tools that this module made itself; also where the agent went on. */
  toolFailures: number;
  /** Share, 0 to 1, of the time of all requests that is spent in this module and not in a module below. */
  timeShare: number | null;
  /** Of the model calls that this module made itself, so that rows add up. */
  tokens: Tokens | null;
  cacheHits: number | null;
};

export type ModelRow = CostFigures & {
  model: string;
  calls: number;
  errors: number;
  latencyMs: Percentiles | null;
  tokens: Tokens | null;
  cacheHits: number | null;
  /** It has tokens but no price, and telemetry tells no cost. */
  unpriced: boolean;
};

export type RequestRow = CostFigures & {
  /** `null` where only the log of the endpoint tells the request, which then has an id of Databricks. */
  traceId: string | null;
  requestId: string | null;
  /** As the endpoint answered its caller; `null` where telemetry tells the request. */
  statusCode: number | null;
  timeMs: number;
  program: string | null;
  latencyMs: number;
  tokens: Tokens | null;
  cache: "hit" | "miss" | "unknown";
  errorClass: string | null;
  errorType: string | null;
  /** The deepest module that failed, or the one that took most of the time. */
  path: string | null;
  /** Its root span never came: it is what did arrive, and may have taken longer, or failed. */
  incomplete: boolean;
};

export type ReleaseFigure = {
  before: number | null;
  after: number | null;
  /** 0.21 is 21 % more. */
  relativeChange: number | null;
  /** Of the relative change; for the error rate of the difference: 0.03 is three points more. */
  interval: { low: number; high: number } | null;
  verdict: "worse" | "better" | "no_difference" | "not_enough";
};

export type ReleaseComparisonRow = {
  sentence: string;
  /** Whether any figure became worse. */
  alarm: boolean;
  metrics: {
    latencyP95Ms: ReleaseFigure;
    errorRate: ReleaseFigure;
    tokensPerRequest: ReleaseFigure;
    costUsdPerRequest: ReleaseFigure;
  };
  /** Requests that are still lacking before the two can be compared. */
  missingRequests: { before: number; after: number };
  /** `null` where the telemetry of one of them names no predictors. */
  changedPredictors: readonly { path: string; change: "added" | "removed" | "changed" }[] | null;
};

/** What one state of the program did since it was first seen, whatever the range. */
export type ReleaseRow = {
  /** Such as `7c1f2d0 (version 3)`. */
  name: string;
  /** Hash of the program's instructions, demonstrations and LM settings. */
  release: string | null;
  modelVersion: string | null;
  /** The class of the DSPy program. */
  program: string;
  firstMs: number;
  lastMs: number;
  requests: number;
  failed: number;
  errorRatePercent: number | null;
  /** Of a uniform sample of the requests, as the two figures below. */
  latencyP95Ms: number | null;
  tokensPerRequest: number | null;
  costUsdPerRequest: number | null;
  /** Path of each predictor to the hash of its state. */
  predictors: Record<string, string>;
  /** With the release of the same program that was first seen before this one. */
  comparedWithBefore: ReleaseComparisonRow | null;
};

/** The answer of `GET /api/agents/{endpoint}/releases`, with `?before=NAME&after=NAME` for any two. */
export type ReleasesAnswer = {
  releases: ReleaseRow[];
  comparison: ReleaseComparisonRow | null;
};

/** `null` is any. */
export type ReleaseFilter = {
  /** The `name` of a release, or its whole hash. */
  release: string | null;
  modelVersion: string | null;
};

/**
 * What Databricks' system tables say of an endpoint, today (UTC) included. It is apart from the
 * figures of telemetry, and its cost, at list prices, is that of serving and not of the model calls.
 */
export type AccountView = {
  days: number;
  counted: {
    requester: "user" | "service_principal" | "unknown";
    requests: number;
    failed: number;
    inputTokens: number | null;
    outputTokens: number | null;
  }[];
  billed: { unit: string; quantity: number }[];
  costs: { currency: string; amount: number }[];
};

export type AgentView = {
  asOfMs: number;
  rangeSeconds: number;
  sliceSeconds: number;
  figures: FiguresFrom;
  source: Source;
  sentence: Sentence;
  agent: AgentRow;
  /** The same length of time before the range; `null` where nothing was watched then. */
  before: {
    requests: number;
    errorRatePercent: number | null;
    latencyP95Ms: number | null;
    costUsd: number | null;
  } | null;
  /** One value per slice, oldest first; `null` is a gap. */
  series: {
    timesMs: number[];
    succeeded: number[];
    failed: number[];
    p50Ms: (number | null)[];
    p95Ms: (number | null)[];
    p99Ms: (number | null)[];
    errorsByClass: Record<string, number[]>;
    inputTokens: (number | null)[];
    outputTokens: (number | null)[];
    costUsd: (number | null)[];
  };
  thresholds: { latencyP99Ms: number | null; errorRatePercent: number | null };
  /** What the calls of `modules` and `models` are of. */
  releaseFilter: ReleaseFilter;
  modules: ModuleRow[];
  models: ModelRow[];
  /** The newest first. */
  releases: ReleaseRow[];
  errorGroups: ErrorGroupRow[];
  slowest: RequestRow[];
  failing: RequestRow[];
  alerts: AlertRow[];
  /** All that watch this agent, those of its own first. */
  rules: RuleRow[];
  changes: ChangeRow[];
  notifications: NotificationRow[];
  health: ComponentRow[];
  /** What Databricks' endpoint metrics say of the last minute; `null` where they are not read. */
  platform: { name: string; value: number; unit: string; timeMs: number }[] | null;
  /** What Databricks counts and bills; `null` where its system tables say nothing of the agent. */
  account: AccountView | null;
};
