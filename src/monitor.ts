/**
 * The monitor's one loop: what arrives is journalled, then applied to the state;
 * traces that are complete close; rules are evaluated; alerts that fire are told.
 * It is the only place that wires ingest, store, rules and notify together.
 */
import type { Clock } from "./clock.ts";
import type { History } from "./history/history.ts";
import { agentSpans } from "./ingest/otlp/agent-span.ts";
import { decodeTracesJson } from "./ingest/otlp/decode-json.ts";
import { decodeMetricsJson } from "./ingest/otlp/decode-metrics-json.ts";
import { decodeMetricsProtobuf } from "./ingest/otlp/decode-metrics-protobuf.ts";
import { decodeTracesProtobuf } from "./ingest/otlp/decode-protobuf.ts";
import { toMetricPoints } from "./ingest/otlp/metric-samples.ts";
import { bodyOf, entryOf, type JournalEntry } from "./journal-entry.ts";
import type { Agent } from "./live/agents.ts";
import { failedOfAgent } from "./live/failed-of-agent.ts";
import { countSlower } from "./live/slower.ts";
import { windowOf } from "./live/window.ts";
import { MonitorError } from "./monitor-error.ts";
import { MonitorState } from "./monitor-state.ts";
import type { Channel } from "./notify/channel.ts";
import { composeNotification } from "./notify/compose.ts";
import type { DeliveryOutcome } from "./notify/deliver.ts";
import { createOutbox, type Outbox } from "./notify/outbox.ts";
import { type AgentReading, type Breach, explainAlert } from "./rules/diagnose.ts";
import { explainWorkspaceAlert, type WorkspaceCheck } from "./rules/diagnose-workspace.ts";
import { evaluate } from "./rules/evaluate.ts";
import { explainExportAlert } from "./rules/explain-export.ts";
import { type Freshness, freshnessOf, workspaceReadingOf } from "./rules/freshness.ts";
import { releaseLabel } from "./rules/release-label.ts";
import { EXPORT_COMPONENT, isEndpointRule, type Reading, type Rule } from "./rules/rule.ts";
import type { DiagnoseOptions } from "./rules/sentence.ts";
import { type AlertState, alertKey, stepAlerts } from "./rules/step-alerts.ts";
import { summaryWindowMs } from "./rules/summary-window.ts";
import type { AccountDays } from "./signals/account-day.ts";
import type { AlertChange } from "./signals/alert.ts";
import type { HealthResult } from "./signals/health-result.ts";
import type { LoggedRequest } from "./signals/logged-request.ts";
import type { MetricPoint } from "./signals/metric-point.ts";
import type { PriceBook } from "./signals/price-book.ts";
import type { Sample } from "./signals/sample.ts";
import { scrub } from "./signals/scrub.ts";
import type { AgentSpan } from "./signals/span.ts";
import { type Following, type Journal, type JournalOptions, openJournal } from "./store/journal.ts";

/** How often traces that are complete are looked for. */
const CLOSE_INTERVAL_MS = 250;
/** Traces that close in one step: what arrives is taken between two of them. */
const CLOSED_AT_ONCE_MAX = 256;
/** How often alerts move on. */
const RULES_INTERVAL_MS = 1_000;
/** How often the journal sheds what is too old. */
const PRUNE_INTERVAL_MS = 60 * 60_000;
/** When it does so first: a start has more urgent things to do. */
const FIRST_PRUNE_AFTER_MS = 10_000;
/** How often it is tried to shorten a journal that is full, and to write to one that could not be written. */
const RETRY_STORE_INTERVAL_MS = 60_000;
/** How much may be written before the journal sheds what is too much, in characters or bytes. */
const PRUNE_AFTER_LENGTH = 32 * 1024 * 1024;
/** A wait after which a person wants to know what is being waited for. */
const NOTICEABLE_MS = 1_000;
/** A long window is not summed up every second: a twentieth of it is often enough, and once a minute. */
const READING_AGE_SHARE = 0.05;
const READING_AGE_MAX_MS = 60_000;
/** A baseline is this many times as long as the window that it is compared with. */
const BASELINE_WINDOWS = 6;

export type MonitorOptions = {
  readonly dataDirectory: string;
  readonly journal?: JournalOptions;
  /** Starts the history that follows the journal. Left out, none is kept. */
  readonly startHistory?: ((journal: Journal) => History) | undefined;
  /** Passes on what arrives over OTLP. Left out, nothing is. */
  readonly forward?: Forwarding | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  /** For every endpoint. */
  readonly rules: readonly Rule[];
  /** What endpoints have of their own at the start. */
  readonly ownAlerts?: OwnAlerts | undefined;
  /** Tells of endpoints that have none of their own; `null`: nobody is told of those. */
  readonly channel: Channel | null;
  /** Prices the model calls whose cost telemetry does not tell. Without one, the built-in. */
  readonly priceBook?: PriceBook;
  /** Where an alert's message points to; `null` is the workspace. */
  readonly pageUrl: (endpoint: string | null) => string | null;
  readonly formatTime: (timeMs: number) => string;
  /** Told once, when something about the data directory is worth knowing. */
  readonly onNotice: (notice: string) => void;
};

/** What single endpoints have of their own, in place of what is for all. */
export type OwnAlerts = {
  readonly rules: readonly Rule[];
  /** By endpoint. */
  readonly channels: ReadonlyMap<string, Channel>;
};

export type OtlpEncoding = "protobuf" | "json";

export type Forwarding = {
  /**
   * Takes a request as it came: the bytes of protobuf, or the text of JSON. Resolves once what is
   * passed on of it is on disk; whoever calls keeps the bytes only until then.
   *
   * @param came `hops`: how often it was forwarded before it came.
   * @throws MonitorError `STORE_FULL`: the same may be given again.
   */
  take(
    signal: "traces" | "metrics",
    received: Uint8Array | string,
    came: { readonly hops: number },
  ): Promise<void>;
};

/** What one observation of the outside world brought. */
export type Observation = {
  readonly samples: readonly Sample[];
  readonly health: readonly HealthResult[];
  readonly dropped: ReadonlyMap<string, number>;
};

/** By another monitor. */
const notForwarded = { hops: 0 };

export class Monitor {
  readonly state: MonitorState;
  readonly startedMs: number;
  readonly #options: MonitorOptions;
  readonly #journal: Journal;
  readonly #history: History | null;
  readonly #outbox: Outbox;
  readonly #stopTimers: (() => void)[] = [];
  readonly #readings = new Map<string, { readonly atMs: number; readonly readings: Reading[] }>();
  #rules: readonly Rule[];
  #closing = false;
  #closingTraces = false;
  #stepping = false;
  #alertsDropped = 0;
  #writtenSincePrune = 0;
  #storeProblem: string | null = null;

  private constructor(options: MonitorOptions, { journal, history, state }: Kept) {
    this.#options = options;
    this.#journal = journal;
    this.#history = history;
    this.state = state;
    this.startedMs = options.clock.now();
    const { rules, ownAlerts, channel, clock, random } = options;
    this.#rules = [...rules, ...(ownAlerts?.rules ?? [])];
    this.#outbox = createOutbox({
      channel,
      clock,
      random,
      onResult: (id, outcome) => {
        // Unrecorded, it is told once more after a restart: better twice than never.
        this.#record({ kind: "notified", id, ...toldOf(outcome) }).catch(() => {});
      },
    });
    if (ownAlerts) this.#outbox.setOwn(ownAlerts.channels);
  }

  /** Those for every endpoint, and those that single ones have of their own. */
  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** Takes the place of what endpoints had of their own before. */
  setOwnAlerts({ rules, channels }: OwnAlerts): void {
    if (this.#closing) return;
    this.#rules = [...this.#options.rules, ...rules];
    this.#readings.clear();
    this.#outbox.setOwn(channels);
    this.#resumeNotifications();
    void this.#stepAlerts();
  }

  /**
   * Opens the data directory, restores what was known, and starts.
   *
   * @throws MonitorError `DATA_DIR_LOCKED`, `DATA_DIR_UNWRITABLE`.
   */
  static async start(options: MonitorOptions): Promise<Monitor> {
    const { journal, quarantinedAs } = await openJournal(options.dataDirectory, options.journal);
    if (quarantinedAs !== null) {
      options.onNotice(
        `The journal was damaged. It was set aside as ${quarantinedAs}; a new one begins.`,
      );
    }
    const state = new MonitorState(options.priceBook);
    const stopWaiting = options.clock.after(NOTICEABLE_MS, () =>
      options.onNotice("Restoring what was seen before …"),
    );
    try {
      await restore(journal, state, options.onNotice);
    } catch (error) {
      await journal.close();
      throw error;
    } finally {
      stopWaiting();
    }
    state.beginRun();
    state.openTraces.waitAnew(options.clock.now());

    const history = options.startHistory?.(journal) ?? null;
    const monitor = new Monitor(options, { journal, history, state });
    monitor.#startTimers();
    // The first answer should not show what alerts measured at their last change.
    await monitor.#stepAlerts();
    monitor.#resumeNotifications();
    return monitor;
  }

  /**
   * Takes one OTLP body. Resolves once it is in the journal.
   *
   * @throws MonitorError `TELEMETRY_INVALID` when it can't be read; `STORE_FULL`
   * when it can't be kept now and may be sent again.
   */
  async takeTraces(
    body: Uint8Array,
    encoding: OtlpEncoding,
    { hops } = notForwarded,
  ): Promise<void> {
    const received = receivedOf(body, encoding);
    const { spans, dropped } =
      typeof received === "string"
        ? decodeTracesJson(received, agentSpans)
        : decodeTracesProtobuf(received, agentSpans);
    const forwarded = this.#options.forward?.take("traces", received, { hops });
    await Promise.all([this.takeSpans(spans, dropped), forwarded]);
  }

  /**
   * Takes spans that a source has read, which may be long after they came another way.
   *
   * @throws MonitorError `STORE_FULL`, as `takeTraces`.
   */
  async takeReadSpans(
    spans: readonly AgentSpan[],
    dropped: ReadonlyMap<string, number>,
  ): Promise<void> {
    const { openTraces } = this.state;
    const news = spans.filter((span) => !openTraces.isForgotten(span));
    const late = spans.length - news.length;
    const all = new Map(dropped);
    if (late > 0) all.set("late_span", (all.get("late_span") ?? 0) + late);
    await this.takeSpans(news, all);
  }

  /**
   * Takes spans. Resolves once they are in the journal. A span that came before, in
   * whatever way, counts once.
   *
   * @throws MonitorError `STORE_FULL`, as `takeTraces`.
   */
  async takeSpans(
    spans: readonly AgentSpan[],
    dropped: ReadonlyMap<string, number>,
  ): Promise<void> {
    if (spans.length === 0 && dropped.size === 0) return;
    await this.#record({ kind: "spans", spans, dropped: Object.fromEntries(dropped) });
  }

  /**
   * Takes requests that their endpoint logged. Resolves once they are in the journal.
   * One that came before counts once, and so does one that telemetry tells as well.
   *
   * @throws MonitorError `STORE_FULL`, as `takeTraces`.
   */
  async takeLogged(
    requests: readonly LoggedRequest[],
    dropped: ReadonlyMap<string, number>,
  ): Promise<void> {
    const news = requests.filter((request) => !this.state.sourceOfRecord.isKnown(request));
    if (news.length === 0 && dropped.size === 0) return;
    await this.#record({
      kind: "requests",
      requests: news,
      dropped: Object.fromEntries(dropped),
    });
  }

  /** Takes what Databricks counts and bills, whole days each. What is known is not journalled again. */
  async takeAccount(days: AccountDays): Promise<void> {
    const news = this.state.account.newsOf(days);
    if (news.counted.length + news.billed.length === 0) return;
    await this.#record({ kind: "account", ...news });
  }

  /** Notes how far a source has read, so that it goes on from there after a restart. */
  async noteRead(source: string, upToMs: number): Promise<void> {
    await this.#record({ kind: "read", source, upToMs });
  }

  /**
   * Takes one OTLP body of metrics. Resolves once it is in the journal. A value
   * that has not changed is only counted there, so that idle services fill no disk.
   *
   * @throws MonitorError as `takeTraces`.
   */
  async takeMetrics(
    body: Uint8Array,
    encoding: OtlpEncoding,
    { hops } = notForwarded,
  ): Promise<void> {
    const received = receivedOf(body, encoding);
    const decoded =
      typeof received === "string" ? decodeMetricsJson(received) : decodeMetricsProtobuf(received);
    const { points, dropped } = toMetricPoints(decoded, this.now());
    const forwarded = this.#options.forward?.take("metrics", received, { hops });
    await Promise.all([this.#takePoints(points, dropped), forwarded]);
  }

  async #takePoints(
    points: readonly MetricPoint[],
    dropped: ReadonlyMap<string, number>,
  ): Promise<void> {
    if (points.length === 0 && dropped.size === 0) return;
    const news = points.filter((point) => !this.state.pushed.isKnown(point));
    await this.#record({
      kind: "metrics",
      points: news,
      repeated: points.length - news.length,
      dropped: Object.fromEntries(dropped),
    });
  }

  /** Takes what a source saw. Health that has not changed is noted, not journalled again. */
  async observe({ samples, health, dropped }: Observation): Promise<void> {
    const isNews = ({ component, status, state, message, modelVersion }: HealthResult) => {
      const known = this.state.components.get(component);
      const isSame = known?.status === status && known.state === state && known.message === message;
      return !isSame || known.modelVersion !== modelVersion;
    };
    const news = health.filter(isNews);
    const noted = health.filter((result) => !isNews(result));
    this.state.apply({ kind: "observed", samples: [], health: noted, dropped: {} }, this.now());
    if (news.length === 0 && samples.length === 0 && dropped.size === 0) return;
    await this.#record({
      kind: "observed",
      samples,
      health: news,
      dropped: Object.fromEntries(dropped),
    });
  }

  /** What was journalled after a place, as much as is well read at a time: for a backup. */
  journalledAfter(seq: number): Promise<Following> {
    return this.#journal.entriesAfter(seq);
  }

  now(): number {
    return this.#options.clock.now();
  }

  get diagnoseOptions(): DiagnoseOptions {
    return { formatTime: this.#options.formatTime, nowMs: this.now() };
  }

  /** What `diagnose` reads of an agent, over the window of its worst alert or the last minute. */
  readingOf(agent: Agent): AgentReading {
    const breaches = this.breachesOf(agent.endpoint);
    const [worst] = breaches;
    const windowMs = worst
      ? worst.rule.windowSeconds * 1000
      : summaryWindowMs(this.rules, agent.endpoint);
    return { ...this.#comparison(agent, windowMs, worst?.sinceMs ?? null), breaches };
  }

  /** Stops taking, closes every open trace, and closes the journal. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    for (const stop of this.#stopTimers) stop();
    try {
      await this.#closeTraces(this.state.openTraces.all());
    } catch {
      this.#options.onNotice(
        "The disk is full: what was still arriving is counted after the next start.",
      );
    }
    await this.#outbox.close();
    await this.#history?.close();
    await this.#journal.close();
  }

  // ─── Taking and closing ───────────────────────────────────────────────────

  async #record(entry: JournalEntry): Promise<void> {
    const timeMs = this.now();
    const body = bodyOf(entry);
    try {
      if (isTelemetry(entry)) await this.#journal.append({ timeMs, body });
      else await this.#journal.appendUpkeep({ timeMs, body });
      this.#storeProblem = this.#journal.isFull ? this.#storeProblem : null;
    } catch (error) {
      this.#noteStoreProblem(error);
      throw error;
    }
    this.state.apply(entry, timeMs);
    this.#writtenSincePrune += body.length;
    if (this.#writtenSincePrune > PRUNE_AFTER_LENGTH) void this.#prune();
  }

  /** Why nothing can be written now; `null` when it can. */
  get storeProblem(): string | null {
    return this.#storeProblem;
  }

  #noteStoreProblem(error: unknown): void {
    if (!(error instanceof MonitorError) || error.code !== "STORE_FULL") return;
    if (this.#storeProblem === null)
      this.#options.onNotice(`${error.message}\n  Hint: ${error.hint}`);
    this.#storeProblem = error.message;
  }

  /** Nobody may be sending until it is ready again. */
  #retryStore(): void {
    if (this.#journal.isFull || this.#storeProblem !== null) void this.#prune();
  }

  /** Before the oldest entries go, what is still true of them is written anew. */
  async #prune(): Promise<void> {
    this.#writtenSincePrune = 0;
    try {
      await this.#record(this.state.carried());
      this.#journal.prune(this.now(), this.#history?.prunableUpTo);
    } catch (error) {
      this.#survive(error);
    }
  }

  /** A full disk passes, and what failed is tried again; anything else is a bug that has to be seen. */
  #survive(error: unknown): void {
    if (error instanceof MonitorError && error.code === "STORE_FULL") return;
    const what = error instanceof Error ? error.message : String(error);
    this.#options.onNotice(`The monitor failed at something; this is a bug of it: ${scrub(what)}`);
  }

  async #closeTraces(traceIds: readonly string[]): Promise<void> {
    for (let at = 0; at < traceIds.length; at += CLOSED_AT_ONCE_MAX) {
      await this.#record({ kind: "close", traceIds: traceIds.slice(at, at + CLOSED_AT_ONCE_MAX) });
    }
  }

  #startTimers(): void {
    const { clock } = this.#options;
    this.#stopTimers.push(
      clock.every(CLOSE_INTERVAL_MS, () => void this.#closeDue()),
      clock.every(RULES_INTERVAL_MS, () => void this.#stepAlerts()),
      clock.every(PRUNE_INTERVAL_MS, () => void this.#prune()),
      clock.every(RETRY_STORE_INTERVAL_MS, () => this.#retryStore()),
      clock.after(FIRST_PRUNE_AFTER_MS, () => void this.#prune()),
    );
  }

  async #closeDue(): Promise<void> {
    if (this.#closingTraces) return;
    this.#closingTraces = true;
    try {
      await this.#closeTraces(this.state.openTraces.due(this.now()));
    } catch (error) {
      // The traces stay open and are closed in a later round.
      this.#survive(error);
    } finally {
      this.#closingTraces = false;
    }
  }

  // ─── Alerts ───────────────────────────────────────────────────────────────

  async #stepAlerts(): Promise<void> {
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      const nowMs = this.now();
      const { alerts, changes, dropped } = stepAlerts(
        this.state.alerts,
        this.rules,
        (rule) => this.#readingsFor(rule, nowMs),
        nowMs,
        (rule, { endpoint, health }, value, step) => {
          if (rule.kind === "export_lagging") {
            return explainExportAlert(health, step, this.diagnoseOptions);
          }
          if (!isEndpointRule(rule)) {
            return explainWorkspaceAlert(health, { rule, step }, this.diagnoseOptions);
          }
          const agent = endpoint === null ? undefined : this.state.agents.get(endpoint);
          if (!agent) return "";
          const windowMs = rule.windowSeconds * 1000;
          const compared = this.#comparison(agent, windowMs, step.breachSinceMs);
          return explainAlert(compared, { rule, value, step }, this.diagnoseOptions);
        },
      );
      this.#alertsDropped += dropped;
      if (changes.length === 0) {
        this.state.alerts = alerts;
        return;
      }
      const notifications = changes.flatMap((change) => this.#notificationFor(change));
      const entry = {
        kind: "alerts",
        changes,
        alerts: [...alerts.values()],
        notifications,
      } as const;
      try {
        await this.#record(entry);
      } catch (error) {
        // A full disk is no reason to be silent: told now, and once more after a restart.
        this.#survive(error);
        this.state.apply(entry, nowMs);
      }
      for (const notification of notifications) this.#outbox.enqueue(notification);
    } catch (error) {
      this.#survive(error);
    } finally {
      this.#stepping = false;
    }
  }

  #readingsFor(rule: Rule, nowMs: number): Reading[] {
    if (rule.kind === "export_lagging") return readingsOf(this.#worstExport());
    if (!isEndpointRule(rule)) return readingsOf(this.state.components.get("workspace"));
    const known = this.#readings.get(rule.id);
    const ageMs = known ? nowMs - known.atMs : Number.NaN;
    const windowMs = rule.windowSeconds * 1000;
    // A clock that was set back makes the age negative: then they are read anew.
    if (known && ageMs >= 0 && ageMs < Math.min(windowMs * READING_AGE_SHARE, READING_AGE_MAX_MS)) {
      return known.readings;
    }
    const { agents } = this.state;
    const own = rule.endpoint === null ? null : agents.get(rule.endpoint);
    const watched = rule.endpoint === null ? agents.all() : own ? [own] : [];
    const span = { fromMs: nowMs - windowMs, toMs: nowMs, nowMs };
    const readings = watched.map(({ endpoint, slices }): Reading => {
      const tally = slices.over(span.fromMs, span.toMs, nowMs);
      return {
        endpoint,
        requests: tally.calls,
        failed: failedOfAgent(tally),
        p99Ms: tally.latencyMs.percentiles()?.p99 ?? null,
        slower:
          rule.slowerThanMs === undefined ? null : countSlower(slices, rule.slowerThanMs, span),
        health: this.healthOf(endpoint),
      };
    });
    this.#readings.set(rule.id, { atMs: nowMs, readings });
    return readings;
  }

  /** What a rule measured last; `null` where there was nothing to measure. */
  valueOf(rule: Rule, endpoint: string | null): number | null {
    const known = this.#readings.get(rule.id)?.readings;
    const reading = known?.find((candidate) => candidate.endpoint === endpoint);
    return reading ? evaluate(rule, reading).value : null;
  }

  /** One that stands still before all others, so that one alert tells of all. */
  #worstExport(): HealthResult | undefined {
    const exports = [...this.state.components.values()].filter(
      ({ component, state }) => component.startsWith(EXPORT_COMPONENT) && state !== "gone",
    );
    return exports.find(({ status }) => status === "unhealthy") ?? exports[0];
  }

  /** The last look at the workspace, with the alert about it; `null` where none was looked at. */
  get workspaceCheck(): WorkspaceCheck | null {
    const health = this.state.components.get("workspace");
    if (!health) return null;
    const rule = this.rules.find(({ kind }) => kind === "workspace_unreadable");
    const alert = rule && this.state.alerts.get(alertKey(rule.id, null));
    if (!rule || (alert?.kind !== "pending" && alert?.kind !== "firing")) {
      return { ...health, breach: null };
    }
    const holdMs = rule.holdSeconds * 1000;
    return { ...health, breach: { state: alert.kind, sinceMs: alert.sinceMs, holdMs } };
  }

  healthOf(endpoint: string): HealthResult | null {
    // An app of the same name is the same agent: what is worse counts.
    const served = this.state.components.get(`endpoint/${endpoint}`);
    const app = this.state.components.get(`app/${endpoint}`);
    if (!served || !app) return served ?? app ?? null;
    return severityOf(app) > severityOf(served) ? app : served;
  }

  /** Whether what is known of an agent is how it is now. */
  freshnessOf({ endpoint, lastRequestMs }: Agent): Freshness {
    const nowMs = this.now();
    const sample = this.state.platform.get(endpoint)?.get("request_count_total");
    const counted =
      sample?.kind === "gauge" ? { requestsPerMinute: sample.value, timeMs: sample.timeMs } : null;
    const workspace = workspaceReadingOf(this.state.components.get("workspace"), nowMs);
    return freshnessOf({ lastRequestMs, counted, workspace }, nowMs);
  }

  /** The window up to now, and, where there is trouble, the time before it began. */
  #comparison(
    agent: Agent,
    windowMs: number,
    sinceMs: number | null,
  ): Omit<AgentReading, "breaches"> {
    const nowMs = this.now();
    return {
      endpoint: agent.endpoint,
      health: this.healthOf(agent.endpoint),
      now: windowOf(agent, { fromMs: nowMs - windowMs, toMs: nowMs }, nowMs),
      before: sinceMs === null ? null : baselineOf(agent, windowMs, { sinceMs, nowMs }),
      lastRequestMs: agent.lastRequestMs,
      freshness: this.freshnessOf(agent),
      release: newestRelease(agent),
    };
  }

  /** What is breached now, firing before pending. */
  breachesOf(endpoint: string): Breach[] {
    const rank = (alert: AlertState) => (alert.kind === "firing" ? 0 : 1);
    return [...this.state.alerts.values()]
      .filter((alert) => alert.endpoint === endpoint)
      .filter(({ kind }) => kind === "firing" || kind === "pending")
      .sort((a, b) => rank(a) - rank(b))
      .flatMap(({ ruleId, kind, sinceMs, value }): Breach[] => {
        const rule = this.rules.find(({ id }) => id === ruleId);
        return rule && isEndpointRule(rule)
          ? [{ rule, value, sinceMs, state: kind as Breach["state"] }]
          : [];
      });
  }

  // ─── Notifications ────────────────────────────────────────────────────────

  #notificationFor(change: AlertChange) {
    const { pageUrl } = this.#options;
    const channel = this.#outbox.channelFor(change.endpoint);
    const notification =
      channel && composeNotification(change, { channel, pageUrl: pageUrl(change.endpoint) });
    return notification ? [notification] : [];
  }

  /** What waited when the monitor was stopped, or for a channel that is gone, is told now. */
  #resumeNotifications(): void {
    for (const { state, notification } of this.state.notifications.values()) {
      if (state === "waiting") this.#outbox.enqueue(notification);
    }
  }

  get alertsDropped(): number {
    return this.#alertsDropped;
  }
}

function receivedOf(body: Uint8Array, encoding: OtlpEncoding): Uint8Array | string {
  return encoding === "protobuf" ? body : new TextDecoder().decode(body);
}

/** What is gone says nothing; what is down says most. */
function severityOf({ status, state }: HealthResult): number {
  return state === "gone" ? -1 : ["unknown", "healthy", "degraded", "unhealthy"].indexOf(status);
}

/** What comes from outside, and will be sent again. */
function isTelemetry({ kind }: JournalEntry): boolean {
  return kind === "spans" || kind === "metrics" || kind === "requests" || kind === "observed";
}

/** One where something was looked at, else none. */
function readingsOf(health: HealthResult | undefined): Reading[] {
  const measured = { requests: 0, failed: 0, p99Ms: null, slower: null };
  return health ? [{ endpoint: null, ...measured, health }] : [];
}

/** The figures from before the trouble; `null` where nothing was watched then. */
function baselineOf(
  agent: Agent,
  windowMs: number,
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): AgentReading["before"] {
  const toMs = Math.min(sinceMs, nowMs) - windowMs;
  const before = windowOf(agent, { fromMs: toMs - BASELINE_WINDOWS * windowMs, toMs }, nowMs);
  return before.requests > 0 ? before : null;
}

/** `null` while no program had another one before it. */
function newestRelease({ releases }: Agent): AgentReading["release"] {
  const newest = releases.all().findLast((release) => releases.before(release) !== null);
  return newest ? { name: releaseLabel(newest.name), sinceMs: newest.firstMs } : null;
}

/** Applies what the journal holds, and says what could not be read of it. */
type Kept = {
  readonly journal: Journal;
  readonly history: History | null;
  readonly state: MonitorState;
};

async function restore(
  journal: Journal,
  state: MonitorState,
  onNotice: (notice: string) => void,
): Promise<void> {
  let unreadable = 0;
  const { damaged, quarantinedAs } = await journal.replay(({ body, timeMs }) => {
    try {
      state.apply(entryOf(body), timeMs);
    } catch {
      unreadable++;
    }
  });
  if (damaged + unreadable > 0) {
    onNotice(`${damaged + unreadable} damaged journal entries were left out.`);
  }
  if (quarantinedAs !== null) {
    onNotice(
      `The journal was damaged. It was set aside as ${quarantinedAs}; what could be read was kept.`,
    );
  }
}

function toldOf(
  outcome: DeliveryOutcome,
): Pick<JournalEntry & { kind: "notified" }, "state" | "attempts" | "problem"> {
  switch (outcome.kind) {
    case "sent":
      return { state: "sent", attempts: outcome.attempts, problem: null };
    case "waiting":
      return { state: "waiting", attempts: outcome.attempts, problem: outcome.reason };
    case "failed":
      return { state: "failed", attempts: outcome.attempts, problem: outcome.reason };
    case "merged":
      return { state: "failed", attempts: 0, problem: "told by a later message of the same alert" };
    case "dropped":
      return { state: "failed", attempts: 0, problem: outcome.reason };
  }
}
