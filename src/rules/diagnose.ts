/**
 * The sentence that every view opens with and every alert carries: what is
 * wrong, since when, and where it comes from. Pure, and never says more than the
 * numbers carry.
 */
import { diagnoseWorkspace, type WorkspaceCheck } from "./diagnose-workspace.ts";
import { explainFailures } from "./explain-failures.ts";
import { explainLatency } from "./explain-latency.ts";
import {
  formatBesideLimit,
  formatCount,
  formatDurationMs,
  formatElapsedMs,
  formatPercent,
} from "./format-quantity.ts";
import { type Freshness, SILENCE_MIN_MS } from "./freshness.ts";
import { code, plainMessage, plainName } from "./plain-text.ts";
import type { EndpointRule, Reading, Rule } from "./rule.ts";
import { type DiagnoseOptions, formatSentence, joinSentences, type Sentence } from "./sentence.ts";
import type { Step } from "./step-alerts.ts";
import type { Window } from "./window.ts";

export type { Window } from "./window.ts";

export type Breach = {
  readonly rule: EndpointRule;
  /** What the rule measures now; `null` when there is nothing to measure. */
  readonly value: number | null;
  /** When the breach began. */
  readonly sinceMs: number;
  readonly state: "pending" | "firing";
};

export type AgentReading = {
  readonly endpoint: string;
  readonly health: Reading["health"];
  readonly now: Window;
  /** A stretch of time from before the trouble; `null` without trouble, or where nothing was watched then. */
  readonly before: Window | null;
  readonly lastRequestMs: number | null;
  readonly freshness: Freshness;
  /** The newest release, and when it came; `null` while there was no other before it. */
  readonly release: { readonly name: string; readonly sinceMs: number } | null;
  readonly breaches: readonly Breach[];
};

/** Agents that are named beside the worst. */
const ALSO_MAX = 3;

/** The worst first. */
/** What is on its way, and no trouble yet, by the state of its health. */
const wordOfDegraded: Readonly<Record<string, string>> = {
  updating: "is being updated",
  deploying: "is being deployed",
  starting: "is being started",
};

const severities = [
  "down",
  "failing",
  "slow",
  "getting down",
  "getting failing",
  "getting slow",
  "recovering",
  "degraded",
  "unknown",
  "ready",
  "healthy",
] as const;

type Finding = {
  readonly severity: (typeof severities)[number];
  readonly sentence: Sentence;
  /** The same in a few words, for where a worse problem is told first: `is also slow: p99 is …`. */
  readonly brief: string;
  readonly sinceMs: number;
};

/**
 * One sentence for all agents.
 *
 * @param workspace the last look at the workspace that they are in; `null` without one.
 */
export function diagnose(
  agents: readonly AgentReading[],
  options: DiagnoseOptions,
  workspace: WorkspaceCheck | null = null,
): Sentence {
  const sentence = diagnoseAll(agents, options);
  const unread = workspace && diagnoseWorkspace(workspace, options);
  if (unread === null) return sentence;
  if (sentence.status === "critical" && workspace?.status === "unhealthy") {
    const since = options.formatTime(workspace.breach?.sinceMs ?? workspace.sinceMs);
    const also = `And the workspace can't be read since ${since}.`;
    return { ...sentence, detail: joinSentences(sentence.detail, also) };
  }
  if (sentence.status === "critical") return sentence;
  const also = sentence.status === "warning" ? `And ${sentence.headline}.` : "";
  return { ...unread, detail: joinSentences(unread.detail, also) };
}

function diagnoseAll(agents: readonly AgentReading[], options: DiagnoseOptions): Sentence {
  const [only] = agents;
  if (only === undefined) {
    return {
      status: "unknown",
      headline: "Nothing to watch yet.",
      detail:
        "Agents appear here with their first request: point their OTEL_EXPORTER_OTLP_ENDPOINT at this monitor, or set DATABRICKS_HOST to watch the endpoints of a workspace.",
    };
  }
  if (agents.length === 1) return diagnoseAgent(only, options);

  const ranked = agents
    .map((agent) => ({ agent, findings: findings(agent, options) }))
    .map(({ agent, findings: [worst] }) => ({ agent, worst: worst ?? fine(agent, options) }))
    .sort(
      (a, b) => bySeverity(a.worst, b.worst) || compareText(a.agent.endpoint, b.agent.endpoint),
    );
  const troubled = ranked.filter(({ worst }) => severityOf(worst) < severities.indexOf("unknown"));
  const [first, ...others] = troubled;
  if (first !== undefined) {
    const sentence = diagnoseAgent(first.agent, options);
    const more = andMore(others.map(({ worst }) => worst));
    return { ...sentence, detail: joinSentences(sentence.detail, more) };
  }

  const found = (severity: Finding["severity"]) =>
    ranked.filter(({ worst }) => worst.severity === severity).map(({ agent }) => agent);
  const unknown = found("unknown");
  const ready = found("ready");
  const healthy = found("healthy");
  const word = healthy.length > 0 ? "healthy" : "ready";
  const count = healthy.length > 0 ? healthy.length : ready.length;
  const uncalled =
    word === "ready" || ready.length === 0
      ? ""
      : `Ready, without a request so far: ${namesOf(ready)}.`;
  if (unknown.length > 0) {
    // A request of an hour ago is not nothing: only then it is said that there never was one.
    const isNew = unknown.every(({ lastRequestMs }) => lastRequestMs === null);
    const lack = `without a request or a health check ${isNew ? "so far" : "of late"}`;
    return {
      status: "unknown",
      headline:
        count === 0
          ? `Nothing is known of ${formatCount(agents.length)} agents ${isNew ? "yet" : "now"}.`
          : partOf(agents, { count, word }),
      detail: joinSentences(`Not known: ${namesOf(unknown)}, ${lack}.`, uncalled),
    };
  }
  return {
    status: "healthy",
    headline:
      count < agents.length
        ? partOf(agents, { count, word })
        : `${agents.length === 2 ? "Both" : `All ${formatCount(agents.length)}`} agents are ${word}.`,
    // That the checks pass says nothing of what a request would get.
    detail:
      word === "ready" ? "No request so far." : joinSentences(uncalled, quietest(healthy, options)),
  };
}

/** `2 of 3 agents are healthy.` */
function partOf(
  agents: readonly AgentReading[],
  { count, word }: { readonly count: number; readonly word: string },
): string {
  return `${formatCount(count)} of ${formatCount(agents.length)} agents ${count === 1 ? "is" : "are"} ${word}.`;
}

/** The first of them by name, and how many more. */
function namesOf(agents: readonly AgentReading[]): string {
  const names = agents.slice(0, ALSO_MAX).map(({ endpoint }) => code(endpoint));
  const more = agents.length > names.length ? ` and ${agents.length - names.length} more` : "";
  return `${names.join(", ")}${more}`;
}

/** One sentence for one agent. */
export function diagnoseAgent(agent: AgentReading, options: DiagnoseOptions): Sentence {
  const [worst, ...others] = findings(agent, options);
  if (worst === undefined) return fine(agent, options).sentence;
  const also = others
    .filter(({ severity, brief }) => severity !== worst.severity && brief !== "")
    .map(({ brief }) => `It ${brief}.`);
  return { ...worst.sentence, detail: joinSentences(worst.sentence.detail, ...also) };
}

/**
 * The reason of an alert: what is breached and why, or, once it is over, what is
 * measured instead and how long it was. It speaks of this rule alone, because
 * another one may go on firing.
 */
export function explainAlert(
  agent: Omit<AgentReading, "breaches">,
  alert: { readonly rule: EndpointRule; readonly value: number | null; readonly step: Step },
  options: DiagnoseOptions,
): string {
  const { rule, value, step } = alert;
  if (step.to === "pending" || step.to === "firing") {
    const breach = { rule, value, sinceMs: step.breachSinceMs, state: step.to };
    return formatSentence(findingOf(agent, breach, options).sentence);
  }
  const name = plainName(agent.endpoint);
  if (step.from === "resolved") return `${name} stayed well.`;

  const been = troubleOf[rule.kind];
  const now =
    rule.kind === "endpoint_not_ready"
      ? plainMessage(agent.health?.message ?? "")
      : `${measured(rule, value)}.`;
  const lasted = formatElapsedMs(options.nowMs - step.breachSinceMs);
  const was = `It was ${been} for ${lasted}, from ${options.formatTime(step.breachSinceMs)}.`;
  return `${name} is no longer ${been}: ${joinSentences(now, was)}`;
}

/** What is wrong where a rule of this kind is breached, in a word. */
export const troubleOf = {
  latency_p99: "slow",
  slow_requests: "slow",
  error_rate: "failing",
  endpoint_not_ready: "down",
} as const;

/** What is wrong with one agent, the worst first; empty when nothing is. */
function findings(agent: AgentReading, options: DiagnoseOptions): Finding[] {
  const found = agent.breaches.map((breach) => findingOf(agent, breach, options));
  const name = plainName(agent.endpoint);
  const { health } = agent;
  const isTold = agent.breaches.some(({ rule }) => rule.kind === "endpoint_not_ready");

  if (health?.status === "unhealthy" && !isTold) {
    const detail = plainMessage(health.message) || "Its last health check failed.";
    found.push(finding("getting down", "warning", `${name} is not ready`, detail, options.nowMs));
  }
  if (health?.status === "degraded") {
    const headline = wordOfDegraded[health.state] ?? "is degraded";
    const detail = plainMessage(health.message);
    found.push(finding("degraded", "warning", `${name} ${headline}`, detail, options.nowMs));
  }
  if (agent.freshness.kind === "telemetry_lost") {
    const { sinceMs, requestsPerMinute, countedMs } = agent.freshness;
    const headline = `${name} is called, but its telemetry does not arrive`;
    const { formatTime } = options;
    const detail = `${counted(requestsPerMinute, formatTime(countedMs))}; the last trace is of ${formatTime(sinceMs)}.`;
    found.push(finding("degraded", "warning", headline, detail, sinceMs));
  }
  return found.sort(bySeverity);
}

/** `The workspace counted 42 requests in the minute from 14:02`, without a full stop. */
function counted(requests: number, time: string): string {
  const noun = requests === 1 ? "request" : "requests";
  return `The workspace counted ${formatCount(requests)} ${noun} in the minute from ${time}`;
}

function findingOf(
  agent: Omit<AgentReading, "breaches">,
  breach: Breach,
  options: DiagnoseOptions,
): Finding {
  const { rule, value, sinceMs, state } = breach;
  const name = plainName(agent.endpoint);
  const since = `since ${options.formatTime(sinceMs)}`;
  const isFiring = state === "firing";
  const lastedMs = options.nowMs - sinceMs;
  const lasted = lastedMs < 1000 ? "" : ` for ${formatElapsedMs(lastedMs)}`;
  const waits = `${lasted}; alerts after ${formatElapsedMs(rule.holdSeconds * 1000)}`;

  if (rule.kind === "endpoint_not_ready") return notReady(agent, breach, { since, waits });

  const word = troubleOf[rule.kind];
  const isSlow = word === "slow";
  const limits = measured(rule, value);
  if (isFiring && !(value !== null && value > rule.threshold)) {
    const was = `It was ${word} ${since}.`;
    return finding("recovering", "warning", `${name} is recovering`, `${limits}. ${was}`, sinceMs);
  }

  const cause = joinSentences(
    isSlow ? explainLatency(agent.now, agent.before) : explainFailures(agent.now),
    beganWith(agent, sinceMs, options),
  );
  if (!isFiring) {
    const headline = isSlow ? `${name} is getting slow` : `${name} is starting to fail`;
    const detail = joinSentences(`${limits}${waits}.`, cause);
    return finding(`getting ${word}`, "warning", headline, detail, sinceMs);
  }
  const detail = joinSentences(`${limits} ${since}.`, cause);
  return {
    ...finding(word, "critical", `${name} is ${word}`, detail, sinceMs),
    brief: `is also ${word}: ${limits} ${since}`,
  };
}

/** A trouble that begins so long after a release may well come from it. */
const BEGAN_WITH_MAX_MS = 10 * 60_000;

/** What came shortly before the trouble, without saying that it is the cause. */
function beganWith(
  { release }: Pick<AgentReading, "release">,
  sinceMs: number,
  { formatTime }: DiagnoseOptions,
): string {
  const afterMs = release ? sinceMs - release.sinceMs : Number.NaN;
  if (!release || !(afterMs >= 0 && afterMs <= BEGAN_WITH_MAX_MS)) return "";
  const came = `release ${code(release.name)} came at ${formatTime(release.sinceMs)}`;
  return `It began ${formatElapsedMs(afterMs)} after ${came}.`;
}

function notReady(
  { endpoint, health }: Pick<AgentReading, "endpoint" | "health">,
  { state, sinceMs }: Breach,
  { since, waits }: { readonly since: string; readonly waits: string },
): Finding {
  const name = plainName(endpoint);
  const evidence = plainMessage(health?.message ?? "");
  const say = (text: string) => joinSentences(evidence, text);

  if (state === "pending") {
    const detail = say(`Not ready${waits}.`);
    return finding("getting down", "warning", `${name} is not ready`, detail, sinceMs);
  }
  if (health?.status === "healthy" || health?.status === "degraded") {
    const detail = say(`It was down ${since}.`);
    return finding("recovering", "warning", `${name} is recovering`, detail, sinceMs);
  }
  // A check that finds nothing out does not say that it is up again.
  const headline = health?.status === "unknown" ? `${name} may still be down` : `${name} is down`;
  return finding("down", "critical", headline, say(`Not ready ${since}.`), sinceMs);
}

function finding(
  severity: Finding["severity"],
  status: Sentence["status"],
  headline: string,
  detail: string,
  sinceMs: number,
): Finding {
  return { severity, sentence: { status, headline, detail }, brief: "", sinceMs };
}

/** `p99 is 4.2 s (limit 1.0 s)`, without a full stop. */
function measured(rule: Rule, value: number | null): string {
  if (rule.kind === "slow_requests") return countedSlow(rule, value);
  const isSlow = rule.kind === "latency_p99";
  const what = (shown: string) => (isSlow ? `p99 is ${shown}` : `${shown} of requests fail`);
  const unit = isSlow ? "ms" : "percent";
  if (value === null || !Number.isFinite(value)) {
    const limit = isSlow ? formatDurationMs(rule.threshold) : formatPercent(rule.threshold);
    return `Too few requests to measure ${isSlow ? "p99" : "the error rate"} (limit ${limit})`;
  }
  const shown = formatBesideLimit(value, rule.threshold, unit);
  if (shown.value === null) {
    return isSlow
      ? `p99 is just ${value > rule.threshold ? "above" : "below"} its limit of ${shown.limit}`
      : `Just ${value > rule.threshold ? "above" : "below"} ${shown.limit} of requests fail, the limit`;
  }
  return `${what(shown.value)} (limit ${shown.limit})`;
}

/** `12 requests took longer than 1.0 s within 5 min (limit 10)`, without a full stop. */
function countedSlow(
  { threshold, slowerThanMs = 0, windowSeconds }: Rule,
  value: number | null,
): string {
  // Counted one by one: what is counted against a limit of 1 050 is not rounded to 1.1 k.
  const shown = value === null || value === 0 ? "No" : value.toLocaleString("en-US");
  const noun = value === 1 ? "request" : "requests";
  const within = windowSeconds % 60 === 0 ? `${windowSeconds / 60} min` : `${windowSeconds} s`;
  const limit = threshold.toLocaleString("en-US");
  return `${shown} ${noun} took longer than ${formatDurationMs(slowerThanMs)} within ${within} (limit ${limit})`;
}

/** An agent with which nothing is wrong, as far as is known. */
function fine(agent: AgentReading, options: DiagnoseOptions): Finding {
  const name = plainName(agent.endpoint);
  const { health, now, lastRequestMs } = agent;
  const isChecked = health !== null && health.status !== "unknown";
  const hasRequests = now.requests > 0;

  const isSilent = lastRequestMs === null || options.nowMs - lastRequestMs >= SILENCE_MIN_MS;

  if (!isChecked && !hasRequests && (isSilent || health !== null)) {
    const evidence = plainMessage(health?.message ?? "");
    return finding(
      "unknown",
      "unknown",
      `Nothing is known of ${name}${lastRequestMs === null ? " yet" : " now"}.`,
      joinSentences(evidence, silence(agent, options)),
      options.nowMs,
    );
  }
  const detail = hasRequests ? figures(now) : silence(agent, options);
  if (lastRequestMs === null && !hasRequests) {
    // Its check passes; whether it answers well, no request has shown.
    return finding("ready", "healthy", `${name} is ready.`, detail, options.nowMs);
  }
  return finding("healthy", "healthy", `${name} is healthy.`, detail, options.nowMs);
}

/** `p99 is 0.4 s; 1 of 84 requests failed.` */
function figures({ requests, failed, p99Ms }: Window): string {
  const failures =
    failed === 0
      ? `none of ${formatCount(requests)} requests failed`
      : `${formatCount(failed)} of ${formatCount(requests)} requests failed`;
  const text =
    requests === 1
      ? failed === 0
        ? "one request, not failed"
        : "its one request failed"
      : failures;
  if (p99Ms === null || !Number.isFinite(p99Ms))
    return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  return `p99 is ${formatDurationMs(p99Ms)}; ${text}.`;
}

function silence(
  { health, lastRequestMs, freshness }: AgentReading,
  { formatTime }: DiagnoseOptions,
): string {
  const cold = health?.state === "cold" ? " (scaled to zero)" : "";
  const silent =
    lastRequestMs === null
      ? `No request so far${cold}.`
      : `No request since ${formatTime(lastRequestMs)}${cold}.`;
  switch (freshness.kind) {
    case "no_telemetry": {
      const { requestsPerMinute, countedMs } = freshness;
      return `${counted(requestsPerMinute, formatTime(countedMs))}; the agent sends no traces.`;
    }
    case "denied":
      return `${silent} Whether it is called is not known: the workspace may not be read since ${formatTime(freshness.sinceMs)}.`;
    case "late": {
      const since = freshness.sinceMs === null ? "" : ` since ${formatTime(freshness.sinceMs)}`;
      return `${silent} Whether it is called is not known: the workspace does not answer${since}.`;
    }
    default:
      return silent;
  }
}

/** Only when it says something: an agent that was called long ago, or is cold, while nothing is wrong. */
function quietest(agents: readonly AgentReading[], options: DiagnoseOptions): string {
  const [quiet] = agents
    .filter(({ now, lastRequestMs, health }) => {
      if (now.requests > 0) return false;
      return (
        health?.state === "cold" ||
        (lastRequestMs !== null && options.nowMs - lastRequestMs >= SILENCE_MIN_MS)
      );
    })
    .sort(
      (a, b) =>
        (a.lastRequestMs ?? 0) - (b.lastRequestMs ?? 0) || compareText(a.endpoint, b.endpoint),
    );
  if (quiet === undefined) return "";
  const text = silence(quiet, options);
  return `Quietest: ${code(quiet.endpoint)}, ${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

/** `And 2 more: support-agent is slow, triage is not ready.` */
function andMore(others: readonly Finding[]): string {
  if (others.length === 0) return "";
  const named = others.slice(0, ALSO_MAX).map(({ sentence }) => sentence.headline);
  const rest = others.length > named.length ? ", …" : "";
  return `And ${formatCount(others.length)} more: ${named.join(", ")}${rest || "."}`;
}

function bySeverity(a: Finding, b: Finding): number {
  return severityOf(a) - severityOf(b) || a.sinceMs - b.sinceMs;
}

function severityOf({ severity }: Finding): number {
  return severities.indexOf(severity);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
