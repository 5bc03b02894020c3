/**
 * The monitor's one loop: what arrives is journalled, then applied to the state;
 * traces that are complete close; rules are evaluated; alerts that fire are told.
 * It is the only place that wires ingest, store, rules and notify together.
 */
import type { History } from "../history/history.ts";
import { agentSpans } from "../ingest/otlp/agent-span.ts";
import { decodeTracesJson } from "../ingest/otlp/decode-json.ts";
import { decodeMetricsJson } from "../ingest/otlp/decode-metrics-json.ts";
import { decodeMetricsProtobuf } from "../ingest/otlp/decode-metrics-protobuf.ts";
import { decodeTracesProtobuf } from "../ingest/otlp/decode-protobuf.ts";
import { toMetricPoints } from "../ingest/otlp/metric-samples.ts";
import type { AccountDays } from "../signals/account-day.ts";
import type { HealthResult } from "../signals/health-result.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import type { MetricPoint } from "../signals/metric-point.ts";
import type { PriceBook } from "../signals/price-book.ts";
import type { Sample } from "../signals/sample.ts";
import type { AgentSpan } from "../signals/span.ts";
import { MonitorState } from "../state/monitor-state.ts";
import {
  type Following,
  type Journal,
  type JournalOptions,
  openJournal,
} from "../store/journal.ts";
import { Alerting, type AlertSettings, type OwnAlerts } from "./alerting.ts";
import { Keeper } from "./keeper.ts";
import { restore } from "./restore.ts";

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
/** A wait after which a person wants to know what is being waited for. */
const NOTICEABLE_MS = 1_000;

export type MonitorOptions = AlertSettings & {
  readonly dataDirectory: string;
  readonly journal?: JournalOptions;
  /** Starts the history that follows the journal. Left out, none is kept. */
  readonly startHistory?: ((journal: Journal) => History) | undefined;
  /** Passes on what arrives over OTLP. Left out, nothing is. */
  readonly forward?: Forwarding | undefined;
  /** Prices the model calls whose cost telemetry does not tell. Without one, the built-in. */
  readonly priceBook?: PriceBook;
  /** Told once, when something about the data directory is worth knowing. */
  readonly onNotice: (notice: string) => void;
};

type Kept = {
  readonly journal: Journal;
  readonly history: History | null;
  readonly state: MonitorState;
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
  readonly alerting: Alerting;
  readonly startedMs: number;
  readonly #options: MonitorOptions;
  readonly #journal: Journal;
  readonly #history: History | null;
  readonly #keeper: Keeper;
  readonly #stopTimers: (() => void)[] = [];
  #closing = false;
  #closingTraces = false;

  private constructor(options: MonitorOptions, { journal, history, state }: Kept) {
    const { clock, onNotice } = options;
    const now = () => clock.now();
    const prunableUpTo = () => history?.prunableUpTo;
    this.#options = options;
    this.#journal = journal;
    this.#history = history;
    this.#keeper = new Keeper({ journal, state, prunableUpTo, now, onNotice });
    this.state = state;
    this.alerting = new Alerting({ ...options, state, keeper: this.#keeper });
    this.startedMs = clock.now();
  }

  /**
   * Opens the data directory, restores what was known, and starts.
   *
   * @throws MonitorError `DATA_DIR_LOCKED`, `DATA_DIR_UNWRITABLE`.
   */
  static async start(options: MonitorOptions): Promise<Monitor> {
    const { dataDirectory, journal: asked } = options;
    const { journal, quarantinedAs, isOlder } = await openJournal(dataDirectory, asked);
    if (isOlder) {
      options.onNotice(
        "The journal is older than the history, as one is that was put back, or it was gone. What it held beyond, and the history had not written yet, is lost.",
      );
    }
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
    await monitor.alerting.step();
    monitor.alerting.resumeNotifications();
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
   * whatever way, counts once. One of a closed trace is only counted there: else it would be in
   * the journal longer than what says that the trace is closed, and would begin it anew.
   *
   * @throws MonitorError `STORE_FULL`, as `takeTraces`.
   */
  async takeSpans(
    spans: readonly AgentSpan[],
    dropped: ReadonlyMap<string, number>,
  ): Promise<void> {
    if (spans.length === 0 && dropped.size === 0) return;
    const { news, dropped: late } = this.state.openTraces.sortOut(spans);
    const all = new Map(dropped);
    for (const [reason, count] of late) all.set(reason, (all.get(reason) ?? 0) + count);
    await this.#keeper.record({ kind: "spans", spans: news, dropped: Object.fromEntries(all) });
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
    await this.#keeper.record({
      kind: "requests",
      requests: news,
      dropped: Object.fromEntries(dropped),
    });
  }

  /** Takes what Databricks counts and bills, whole days each. What is known is not journalled again. */
  async takeAccount(days: AccountDays): Promise<void> {
    const news = this.state.account.newsOf(days);
    if (news.counted.length + news.billed.length === 0) return;
    await this.#keeper.record({ kind: "account", ...news });
  }

  /** Notes how far a source has read, so that it goes on from there after a restart. */
  async noteRead(source: string, upToMs: number): Promise<void> {
    await this.#keeper.record({ kind: "read", source, upToMs });
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
    await this.#keeper.record({
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
    await this.#keeper.record({
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

  /** Why nothing can be written now; `null` when it can. */
  get storeProblem(): string | null {
    return this.#keeper.problem;
  }

  /** Takes the place of what endpoints had of their own before. */
  setOwnAlerts(own: OwnAlerts): void {
    if (!this.#closing) this.alerting.setOwn(own);
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
    await this.alerting.close();
    await this.#history?.close();
    await this.#journal.close();
  }

  async #closeTraces(traceIds: readonly string[]): Promise<void> {
    for (let at = 0; at < traceIds.length; at += CLOSED_AT_ONCE_MAX) {
      await this.#keeper.record({
        kind: "close",
        traceIds: traceIds.slice(at, at + CLOSED_AT_ONCE_MAX),
      });
    }
  }

  #startTimers(): void {
    const { clock } = this.#options;
    this.#stopTimers.push(
      clock.every(CLOSE_INTERVAL_MS, () => void this.#closeDue()),
      clock.every(RULES_INTERVAL_MS, () => void this.alerting.step()),
      clock.every(PRUNE_INTERVAL_MS, () => void this.#keeper.prune()),
      clock.every(RETRY_STORE_INTERVAL_MS, () => this.#keeper.retry()),
      clock.after(FIRST_PRUNE_AFTER_MS, () => void this.#keeper.prune()),
    );
  }

  async #closeDue(): Promise<void> {
    if (this.#closingTraces) return;
    this.#closingTraces = true;
    try {
      await this.#closeTraces(this.state.openTraces.due(this.now()));
    } catch (error) {
      // The traces stay open and are closed in a later round.
      this.#keeper.survive(error);
    } finally {
      this.#closingTraces = false;
    }
  }
}

function receivedOf(body: Uint8Array, encoding: OtlpEncoding): Uint8Array | string {
  return encoding === "protobuf" ? body : new TextDecoder().decode(body);
}
