/**
 * Steps the alerts: rules are compared with what is known, each change is recorded with the
 * messages about it, and then told. What waited when the monitor was stopped is told after the next start.
 */
import type { Clock } from "../clock.ts";
import type { Agent } from "../live/agents.ts";
import type { Channel } from "../notify/channel.ts";
import { composeNotification } from "../notify/compose.ts";
import type { DeliveryOutcome } from "../notify/deliver.ts";
import type { Notification } from "../notify/notification.ts";
import { createOutbox, type Outbox } from "../notify/outbox.ts";
import { type AgentReading, type Breach, explainAlert } from "../rules/diagnose.ts";
import { explainWorkspaceAlert, type WorkspaceCheck } from "../rules/diagnose-workspace.ts";
import { evaluate } from "../rules/evaluate.ts";
import { explainExportAlert } from "../rules/explain-export.ts";
import { isEndpointRule, type Reading, type Rule } from "../rules/rule.ts";
import type { DiagnoseOptions } from "../rules/sentence.ts";
import { type AlertState, alertKey, type Step, stepAlerts } from "../rules/step-alerts.ts";
import { summaryWindowMs } from "../rules/summary-window.ts";
import type { AlertChange } from "../signals/alert.ts";
import type { JournalEntry } from "../state/journal-entry.ts";
import type { MonitorState } from "../state/monitor-state.ts";
import type { Keeper } from "./keeper.ts";
import { compare, readingsFor } from "./readings.ts";

/** A long window is not summed up every second: a twentieth of it is often enough, and once a minute. */
const READING_AGE_SHARE = 0.05;
const READING_AGE_MAX_MS = 60_000;

export type AlertSettings = {
  readonly clock: Clock;
  readonly random: () => number;
  /** For every endpoint. */
  readonly rules: readonly Rule[];
  /** What endpoints have of their own at the start. */
  readonly ownAlerts?: OwnAlerts | undefined;
  /** Tells of endpoints that have none of their own; `null`: nobody is told of those. */
  readonly channel: Channel | null;
  /** Where an alert's message points to; `null` is the workspace. */
  readonly pageUrl: (endpoint: string | null) => string | null;
  readonly formatTime: (timeMs: number) => string;
};

export type AlertingOptions = AlertSettings & {
  readonly state: MonitorState;
  readonly keeper: Keeper;
};

/** What single endpoints have of their own, in place of what is for all. */
export type OwnAlerts = {
  readonly rules: readonly Rule[];
  /** By endpoint. */
  readonly channels: ReadonlyMap<string, Channel>;
};

export class Alerting {
  readonly #options: AlertingOptions;
  readonly #state: MonitorState;
  readonly #outbox: Outbox;
  readonly #readings = new Map<string, { readonly atMs: number; readonly readings: Reading[] }>();
  #rules: readonly Rule[];
  #stepping = false;
  #dropped = 0;

  constructor(options: AlertingOptions) {
    this.#options = options;
    this.#state = options.state;
    const { rules, ownAlerts, keeper, channel, clock, random } = options;
    this.#rules = [...rules, ...(ownAlerts?.rules ?? [])];
    this.#outbox = createOutbox({
      channel,
      clock,
      random,
      onResult: (id, outcome) => {
        // Unrecorded, it is told once more after a restart: better twice than never.
        keeper.record({ kind: "notified", id, ...toldOf(outcome) }).catch(() => {});
      },
    });
    if (ownAlerts) this.#outbox.setOwn(ownAlerts.channels);
  }

  /** Those for every endpoint, and those that single ones have of their own. */
  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** Breaches that were not taken up because there were too many alerts. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes the place of what endpoints had of their own before. */
  setOwn({ rules, channels }: OwnAlerts): void {
    this.#rules = [...this.#options.rules, ...rules];
    this.#readings.clear();
    this.#outbox.setOwn(channels);
    this.resumeNotifications();
    void this.step();
  }

  /** What waited when the monitor was stopped, or for a channel that is gone, is told now. */
  resumeNotifications(): void {
    for (const { state, notification } of this.#state.notifications.values()) {
      if (state === "waiting") this.#outbox.enqueue(notification);
    }
  }

  /** Compares every rule with what is known now. Fails never: a full disk is no reason to be silent. */
  async step(): Promise<void> {
    if (this.#stepping) return;
    this.#stepping = true;
    const { keeper, clock } = this.#options;
    try {
      const nowMs = clock.now();
      const { alerts, changes, dropped } = stepAlerts(
        this.#state.alerts,
        this.rules,
        (rule) => this.#readingsFor(rule, nowMs),
        nowMs,
        (rule, reading, value, step) => this.#explain(rule, reading, value, step),
      );
      this.#dropped += dropped;
      if (changes.length === 0) {
        this.#state.alerts = alerts;
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
        await keeper.record(entry);
      } catch (error) {
        // Told now, and once more after a restart.
        keeper.survive(error);
        this.#state.apply(entry, nowMs);
      }
      for (const notification of notifications) this.#outbox.enqueue(notification);
    } catch (error) {
      keeper.survive(error);
    } finally {
      this.#stepping = false;
    }
  }

  /** Waits for what is being told. */
  async close(): Promise<void> {
    await this.#outbox.close();
  }

  // ─── What is breached, for whoever shows it ───────────────────────────────

  /** What a rule measured last; `null` where there was nothing to measure. */
  valueOf(rule: Rule, endpoint: string | null): number | null {
    const known = this.#readings.get(rule.id)?.readings;
    const reading = known?.find((candidate) => candidate.endpoint === endpoint);
    return reading ? evaluate(rule, reading).value : null;
  }

  /** What is breached now, firing before pending. */
  breachesOf(endpoint: string): Breach[] {
    const rank = (alert: AlertState) => (alert.kind === "firing" ? 0 : 1);
    return [...this.#state.alerts.values()]
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

  /** What `diagnose` reads of an agent, over the window of its worst alert or the last minute. */
  readingOf(agent: Agent): AgentReading {
    const breaches = this.breachesOf(agent.endpoint);
    const [worst] = breaches;
    const windowMs = worst
      ? worst.rule.windowSeconds * 1000
      : summaryWindowMs(this.rules, agent.endpoint);
    return { ...this.#comparison(agent, windowMs, worst?.sinceMs ?? null), breaches };
  }

  /** The last look at the workspace, with the alert about it; `null` where none was looked at. */
  get workspaceCheck(): WorkspaceCheck | null {
    const health = this.#state.components.get("workspace");
    if (!health) return null;
    const rule = this.rules.find(({ kind }) => kind === "workspace_unreadable");
    const alert = rule && this.#state.alerts.get(alertKey(rule.id, null));
    if (!rule || (alert?.kind !== "pending" && alert?.kind !== "firing")) {
      return { ...health, breach: null };
    }
    const holdMs = rule.holdSeconds * 1000;
    return { ...health, breach: { state: alert.kind, sinceMs: alert.sinceMs, holdMs } };
  }

  get diagnoseOptions(): DiagnoseOptions {
    return { formatTime: this.#options.formatTime, nowMs: this.#options.clock.now() };
  }

  // ─── One step ─────────────────────────────────────────────────────────────

  #readingsFor(rule: Rule, nowMs: number): Reading[] {
    if (!isEndpointRule(rule)) return readingsFor(rule, this.#state, nowMs);
    const known = this.#readings.get(rule.id);
    const ageMs = known ? nowMs - known.atMs : Number.NaN;
    const ageMaxMs = Math.min(rule.windowSeconds * 1000 * READING_AGE_SHARE, READING_AGE_MAX_MS);
    // A clock that was set back makes the age negative: then they are read anew.
    if (known && ageMs >= 0 && ageMs < ageMaxMs) return known.readings;
    const readings = readingsFor(rule, this.#state, nowMs);
    this.#readings.set(rule.id, { atMs: nowMs, readings });
    return readings;
  }

  #explain(rule: Rule, { endpoint, health }: Reading, value: number | null, step: Step): string {
    const options = this.diagnoseOptions;
    if (rule.kind === "export_lagging") return explainExportAlert(health, step, options);
    if (!isEndpointRule(rule)) return explainWorkspaceAlert(health, { rule, step }, options);
    const agent = endpoint === null ? undefined : this.#state.agents.get(endpoint);
    if (!agent) return "";
    const compared = this.#comparison(agent, rule.windowSeconds * 1000, step.breachSinceMs);
    return explainAlert(compared, { rule, value, step }, options);
  }

  #comparison(agent: Agent, windowMs: number, sinceMs: number | null) {
    return compare(agent, this.#state, { windowMs, sinceMs, nowMs: this.#options.clock.now() });
  }

  #notificationFor(change: AlertChange): Notification[] {
    const { pageUrl } = this.#options;
    const channel = this.#outbox.channelFor(change.endpoint);
    const notification =
      channel && composeNotification(change, { channel, pageUrl: pageUrl(change.endpoint) });
    return notification ? [notification] : [];
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
