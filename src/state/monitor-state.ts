/**
 * Everything the monitor knows, as a fold over journal entries. `apply` depends
 * on nothing but the entry, its time and the price book, so that replaying the journal
 * after a restart gives the same figures again. Beside it only what may be forgotten is
 * noted: when a check was last looked at, and how an alert's value moves.
 */
import { endpointComponent } from "../ingest/endpoint-state/endpoint-state.ts";
import { PushedSeries } from "../ingest/otlp/metric-samples.ts";
import { OpenTraces } from "../ingest/otlp/open-traces.ts";
import { Account } from "../live/account.ts";
import { Agents } from "../live/agents.ts";
import { SourceOfRecord } from "../live/source-of-record.ts";
import { releaseLabel } from "../rules/release-label.ts";
import { type AlertState, alertKey } from "../rules/step-alerts.ts";
import type { AlertChange } from "../signals/alert.ts";
import type { ClosedTrace } from "../signals/closed-trace.ts";
import type { Deployment } from "../signals/deployment.ts";
import { type Happened, nothingHappened } from "../signals/happened.ts";
import type { HealthResult } from "../signals/health-result.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import type { PriceBook } from "../signals/price-book.ts";
import { builtInPriceBook } from "../signals/prices.ts";
import type { Sample } from "../signals/sample.ts";
import type { SpanBatch } from "../store/span-codec.ts";
import type { Change, Component, JournalEntry, KeptNotification } from "./journal-entry.ts";

/** Changes that are shown: alerts, error groups, health, notifications. */
export const CHANGES_MAX = 200;
/** Notifications that are kept with their text. */
export const NOTIFICATIONS_MAX = 200;
/** Components whose health is kept. */
export const COMPONENTS_MAX = 2_000;

/** How long an endpoint that is gone is still shown. */
const GONE_SHOWN_MS = 24 * 60 * 60_000;

/** What happened since the monitor was started. */
export type RunLog = {
  readonly alertChanges: AlertChange[];
  notificationsSent: number;
  spansTaken: number;
  readonly dropped: Map<string, number>;
};

/** Alert changes of one run that are kept for its report. */
const RUN_ALERT_CHANGES_MAX = 10_000;

export class MonitorState {
  readonly openTraces: OpenTraces;
  readonly agents = new Agents();
  readonly sourceOfRecord = new SourceOfRecord();
  readonly account = new Account();
  alerts: ReadonlyMap<string, AlertState> = new Map();
  readonly notifications = new Map<string, KeptNotification>();
  readonly components = new Map<string, Component>();
  /** By endpoint and metric name: the newest value. */
  readonly platform = new Map<string, ReadonlyMap<string, Sample>>();
  /** What services push about themselves: the newest of every series. */
  readonly pushed = new PushedSeries();
  /** Newest last. */
  readonly changes: Change[] = [];
  /** Ever, by reason. */
  readonly dropped = new Map<string, number>();
  spansTaken = 0;
  metricPointsTaken = 0;
  tracesClosed = 0;
  /** When the oldest thing that is still known happened. */
  sinceMs: number | null = null;
  lastSpansMs: number | null = null;
  /** How far each source has read that tells. */
  readonly readUpToMs = new Map<string, number>();
  /** When the newest of the logged requests ended that were read. */
  lastLoggedMs: number | null = null;
  run: RunLog = newRun();

  /** @param book prices the model calls whose cost telemetry does not tell. */
  constructor(book: PriceBook = builtInPriceBook) {
    this.openTraces = new OpenTraces(book);
  }

  /** Starts the figures of a run anew. */
  beginRun(): void {
    this.agents.beginRun();
    this.run = newRun();
  }

  /**
   * Returns what the entry says that is worth keeping for long.
   *
   * @param timeMs when the entry was made.
   * @param seq its place in the journal.
   */
  apply(entry: JournalEntry, timeMs: number, seq = 0): Happened {
    this.sinceMs ??= timeMs;
    switch (entry.kind) {
      case "spans":
        this.#takeSpans(entry, timeMs, seq);
        return nothingHappened;
      case "close":
        return { ...nothingHappened, ...this.#closeTraces(entry.traceIds, timeMs) };
      case "requests":
        return { ...nothingHappened, logged: this.#takeLogged(entry, timeMs) };
      case "observed": {
        this.#drop(Object.entries(entry.dropped));
        const { health } = entry;
        const samples = entry.samples.filter((sample) => this.#takeSample(sample));
        for (const result of health) this.#takeHealth(result);
        return { ...nothingHappened, samples, health };
      }
      case "metrics": {
        this.metricPointsTaken += entry.points.length + entry.repeated;
        this.#drop(Object.entries(entry.dropped));
        const { dropped, samples: pushed } = this.pushed.add(entry.points, timeMs);
        this.#drop(dropped);
        return { ...nothingHappened, pushed };
      }
      case "account":
        this.account.take(entry, timeMs);
        return nothingHappened;
      case "read":
        this.#takeRead(entry.source, entry.upToMs);
        return nothingHappened;
      case "alerts":
        this.#takeAlerts(entry);
        return { ...nothingHappened, alerts: entry.changes };
      case "notified":
        this.#takeNotified(entry, timeMs);
        return nothingHappened;
      case "carried":
        this.#takeCarried(entry, timeMs);
        this.#forget(timeMs);
        return nothingHappened;
    }
  }

  /** The version of the model that the newest request of an endpoint told, and that which it serves. */
  versionsOf(endpoint: string): { readonly called: string | null; readonly served: string | null } {
    return {
      called: this.agents.get(endpoint)?.modelVersion ?? null,
      served: this.components.get(endpointComponent(endpoint))?.modelVersion ?? null,
    };
  }

  /** What has to be carried over when older entries leave the journal. */
  carried(): JournalEntry {
    return {
      kind: "carried",
      alerts: [...this.alerts.values()],
      components: [...this.components.values()],
      notifications: [...this.notifications.values()],
      changes: this.changes,
      handovers: this.sourceOfRecord.handovers(),
      readUpToMs: Object.fromEntries(this.readUpToMs),
      account: this.account.all(),
    };
  }

  #takeCarried(carried: JournalEntry & { kind: "carried" }, timeMs: number) {
    const { alerts, components, notifications, changes, handovers = [], readUpToMs = {} } = carried;
    this.#setAlerts(alerts);
    this.sourceOfRecord.restore(handovers);
    if (carried.account) this.account.take(carried.account, timeMs);
    for (const [source, upToMs] of Object.entries(readUpToMs)) this.#takeRead(source, upToMs);
    for (const component of components) {
      this.components.set(component.component, component);
      if (component.endpoint !== null) this.agents.watch(component.endpoint);
    }
    for (const kept of notifications) this.notifications.set(kept.notification.id, kept);
    if (this.changes.length === 0) this.changes.push(...changes);
  }

  #takeRead(source: string, upToMs: number): void {
    this.readUpToMs.set(source, Math.max(this.readUpToMs.get(source) ?? upToMs, upToMs));
  }

  /** What has been gone for a day is gone; while entries leave the journal is the time to see. */
  #forget(nowMs: number): void {
    for (const [name, { state, sinceMs, endpoint }] of this.components) {
      if (state !== "gone" || nowMs - sinceMs < GONE_SHOWN_MS) continue;
      this.components.delete(name);
      if (endpoint === null) continue;
      this.agents.unwatch(endpoint);
      this.platform.delete(endpoint);
    }
    this.agents.forget(nowMs);
  }

  #setAlerts(alerts: readonly AlertState[]): void {
    this.alerts = new Map(alerts.map((alert) => [alertKey(alert.ruleId, alert.endpoint), alert]));
  }

  #takeSpans({ spans, dropped }: SpanBatch, timeMs: number, seq: number): void {
    this.spansTaken += spans.length;
    this.run.spansTaken += spans.length;
    this.lastSpansMs = timeMs;
    this.#drop(Object.entries(dropped));
    this.#drop(this.openTraces.add(spans, timeMs, seq));
  }

  /** Returns those that count. */
  #takeLogged({ requests, dropped }: JournalEntry & { kind: "requests" }, timeMs: number) {
    this.#drop(Object.entries(dropped));
    const counted: LoggedRequest[] = [];
    for (const request of requests) {
      const taken = this.sourceOfRecord.takeLogged(request, timeMs);
      if (taken === "logged_ahead_of_clock" || taken === "logged_endpoint_limit") {
        this.#drop([[taken, 1]]);
        continue;
      }
      this.lastLoggedMs = Math.max(this.lastLoggedMs ?? 0, request.timeMs);
      if (taken !== "counts") continue;
      this.agents.addLogged(request, timeMs);
      counted.push(request);
    }
    return counted;
  }

  /** What the log of its endpoint counted is not counted again; what went on inside is new. */
  #withoutLogged(trace: ClosedTrace): ClosedTrace {
    const counts = trace.requests.map((request) => this.sourceOfRecord.takeTold(request));
    if (!counts.includes(false)) return trace;
    return { ...trace, requests: trace.requests.filter((_, index) => counts[index]) };
  }

  #closeTraces(
    traceIds: readonly string[],
    timeMs: number,
  ): Pick<Happened, "traces" | "deployments"> {
    const traces = this.openTraces.close(traceIds).map((trace) => this.#withoutLogged(trace));
    const deployments: Deployment[] = [];
    for (const trace of traces) {
      const known = this.agents.get(trace.endpoint)?.groups;
      const fresh = trace.errors.filter(({ group }) => !known?.has(group));
      const from = this.agents.get(trace.endpoint)?.modelVersion ?? null;
      const begun = this.agents.add(trace, timeMs);
      this.tracesClosed++;
      for (const { type, path, endpoint, message, timeMs: atMs } of fresh) {
        const text = `New error: ${type} in ${path}${message === "" ? "" : `: ${message}`}`;
        const change = { kind: "error_group", endpoint, to: "new", text } as const;
        this.#changed({ ...change, timeMs: Math.min(atMs, timeMs) });
      }
      for (const { name, firstMs } of begun) {
        const { endpoint } = trace;
        const { modelVersion: to, release } = name;
        const atMs = Math.min(firstMs, timeMs);
        deployments.push({ endpoint, from, to, release, outcome: "serving", timeMs: atMs });
        const label = releaseLabel(name);
        const text = `Release ${label} serves its first request`;
        this.#changed({ kind: "deployment", endpoint, to: label, text, timeMs: atMs });
      }
    }
    return { traces, deployments };
  }

  /** Whether it is news: a platform is asked several times a minute, and tells one value of each. */
  #takeSample(sample: Sample): boolean {
    const before = this.platform.get(sample.endpoint);
    const known = before?.get(sample.name);
    if (known && known.timeMs > sample.timeMs) return false;
    if (!before && this.platform.size >= COMPONENTS_MAX) {
      this.#drop([["component_limit", 1]]);
      return false;
    }
    this.platform.set(sample.endpoint, new Map(before).set(sample.name, sample));
    return known?.timeMs !== sample.timeMs;
  }

  #takeHealth(result: HealthResult): void {
    const before = this.components.get(result.component);
    if (!before && this.components.size >= COMPONENTS_MAX) {
      this.#drop([["component_limit", 1]]);
      return;
    }
    const same = before?.status === result.status && before.state === result.state;
    this.components.set(result.component, {
      ...result,
      sinceMs: same ? before.sinceMs : result.timeMs,
    });
    if (result.endpoint !== null) this.agents.watch(result.endpoint);
    if (before && !same) {
      const { timeMs, endpoint, status: to, message: text } = result;
      this.#changed({ timeMs, kind: "health", endpoint, to, text });
    }
  }

  #takeAlerts({ changes, alerts, notifications }: JournalEntry & { kind: "alerts" }): void {
    this.#setAlerts(alerts);
    for (const change of changes) {
      this.run.alertChanges.push(change);
      if (this.run.alertChanges.length > RUN_ALERT_CHANGES_MAX) this.run.alertChanges.shift();
      if (change.to === "inactive" && change.from === "resolved") continue;
      const { timeMs, endpoint, to, reason: text } = change;
      this.#changed({ timeMs, kind: "alert", endpoint, to, text });
    }
    for (const notification of notifications) {
      this.notifications.set(notification.id, {
        notification,
        state: "waiting",
        attempts: 0,
        problem: null,
      });
    }
    this.#forgetNotifications();
  }

  /** The oldest that were told go first; what still waits stays while it can. */
  #forgetNotifications(): void {
    let excess = this.notifications.size - NOTIFICATIONS_MAX;
    const isWaiting = ({ state }: KeptNotification) => state === "waiting";
    for (const onlyTold of [true, false]) {
      for (const [id, kept] of this.notifications) {
        if (excess <= 0) return;
        if (onlyTold && isWaiting(kept)) continue;
        this.notifications.delete(id);
        excess--;
      }
    }
  }

  #takeNotified(entry: JournalEntry & { kind: "notified" }, timeMs: number): void {
    const kept = this.notifications.get(entry.id);
    if (!kept) return;
    const { state, attempts, problem } = entry;
    this.notifications.set(entry.id, { ...kept, state, attempts, problem });
    if (state === "waiting") return;
    if (state === "sent") this.run.notificationsSent++;
    const { channel, endpoint } = kept.notification;
    const name = channelNames[channel];
    const text = state === "sent" ? `Told ${name}` : `Could not tell ${name}: ${problem}`;
    this.#changed({ timeMs, kind: "notification", endpoint, to: state, text });
  }

  #drop(reasons: Iterable<readonly [string, number]>): void {
    for (const [reason, count] of reasons) {
      if (count === 0) continue;
      this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count);
      this.run.dropped.set(reason, (this.run.dropped.get(reason) ?? 0) + count);
    }
  }

  #changed(change: Change): void {
    this.changes.push(change);
    if (this.changes.length > CHANGES_MAX) this.changes.shift();
  }
}

const channelNames = { slack: "Slack" } as const;

function newRun(): RunLog {
  return {
    alertChanges: [],
    notificationsSent: 0,
    spansTaken: 0,
    dropped: new Map(),
  };
}
