/**
 * What happened, summed up by agent and minute, while it waits to be written. Counts what
 * the live figures count, in the same way, by the time of each call. Pure.
 */
import { CLOCK_AHEAD_MAX_MS } from "../live/counted.ts";
import { figuresOfLmCall } from "../live/models.ts";
import { placeCallsOf } from "../live/places.ts";
import { figuresOfLoggedRequest, figuresOfRequest } from "../live/requests.ts";
import type { ClosedTrace } from "../signals/closed-trace.ts";
import type { ErrorEvent } from "../signals/error-event.ts";
import type { Happened } from "../signals/happened.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import { startOf, tiers } from "./periods.ts";
import { Summary, type SummedPlace } from "./summary.ts";

/** By the start of the minute. */
export type Minutes = ReadonlyMap<number, Summary>;

export class PendingSummaries {
  readonly #agents = new Map<string, Map<number, Summary>>();

  get isEmpty(): boolean {
    return this.#agents.size === 0;
  }

  /** By agent. */
  get agents(): ReadonlyMap<string, Minutes> {
    return this.#agents;
  }

  /**
   * @param nowMs when it was taken.
   * @param nameOf the name under which an agent is counted.
   */
  add(
    { traces, logged }: Pick<Happened, "traces" | "logged">,
    nowMs: number,
    nameOf: (endpoint: string) => string,
  ): void {
    for (const trace of traces) this.#addTrace(trace, nowMs, nameOf(trace.endpoint));
    for (const request of logged) this.#addLogged(request, nowMs, nameOf(request.endpoint));
  }

  #addTrace(trace: ClosedTrace, nowMs: number, agent: string): void {
    const at = (timeMs: number) => this.#at(agent, timeMs, nowMs);
    const closed = at(nowMs);
    closed?.loss.add(trace);
    closed?.conventions.add(trace.convention);
    for (const request of trace.requests) {
      const summary = at(request.timeMs);
      if (!summary) continue;
      summary.requests.add(figuresOfRequest(request));
      summary.noteRequest(request.timeMs, request.modelVersion);
    }
    // A caller may end in another minute than what it calls.
    const placed = placeCallsOf<PlaceInMinutes>(
      trace,
      (call, above) => new PlaceInMinutes(call, above ?? null),
    );
    for (const told of placed) {
      const summary = at(told.call.timeMs);
      if (summary) told.place.in(summary).calls.of(told.call).add(told);
    }
    for (const call of trace.moduleCalls) {
      if (call.kind !== "lm") continue;
      const summary = at(call.timeMs);
      if (summary)
        summary
          .modelOf(call.model ?? "unknown")
          .of(call)
          .add(figuresOfLmCall(call));
    }
    for (const error of trace.errors) {
      const cause = causeOf(error, agent);
      const { group, timeMs, handled } = error;
      const times = { firstMs: timeMs, lastMs: timeMs };
      at(timeMs)?.addGroup({ group, last: cause, count: 1, handled: handled ? 1 : 0, ...times });
    }
  }

  #addLogged(request: LoggedRequest, nowMs: number, agent: string): void {
    const summary = this.#at(agent, request.timeMs, nowMs);
    if (!summary) return;
    summary.requests.add(figuresOfLoggedRequest(request));
    summary.noteRequest(request.timeMs, null);
  }

  /** `null` for a time that no window shows: of a wrong clock, or longer ago than anything is kept. */
  #at(agent: string, timeMs: number, nowMs: number): Summary | null {
    if (timeMs > nowMs + CLOCK_AHEAD_MAX_MS || nowMs - timeMs > tiers.day.keptMs) return null;
    let minutes = this.#agents.get(agent);
    if (!minutes) {
      minutes = new Map();
      this.#agents.set(agent, minutes);
    }
    const startMs = startOf("minute", timeMs);
    let summary = minutes.get(startMs);
    if (!summary) {
      summary = new Summary();
      minutes.set(startMs, summary);
    }
    return summary;
  }
}

type Named = Parameters<Summary["placeOf"]>[0];

/** A place of a trace, whose calls may belong to several minutes. */
class PlaceInMinutes {
  readonly #name: Named;
  readonly #above: PlaceInMinutes | null;

  constructor(name: Named, above: PlaceInMinutes | null) {
    this.#name = name;
    this.#above = above;
  }

  in(summary: Summary): SummedPlace {
    return summary.placeOf(this.#name, this.#above?.in(summary) ?? null);
  }
}

function causeOf({ program, path, type, errorClass, message }: ErrorEvent, endpoint: string) {
  return { endpoint, program, path, type, errorClass, message };
}
