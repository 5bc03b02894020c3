/** The failures of an agent, those with the same cause counted together. */
import type { ErrorEvent } from "../signals/error-event.ts";
import { agentSlicing, CLOCK_AHEAD_MAX_MS } from "./counted.ts";
import { Kept, type Room } from "./kept.ts";
import { Sliced } from "./sliced.ts";

/** Error groups of one agent beyond this are counted together. */
export const GROUPS_MAX = 200;
export const ALL_GROUPS_MAX = 2_000;

export class GroupCount {
  count = 0;
  handled = 0;
  merge(other: GroupCount): void {
    this.count += other.count;
    this.handled += other.handled;
  }
}

/** Errors with the same cause. */
export type ErrorGroup = {
  readonly group: string;
  readonly first: ErrorEvent;
  last: ErrorEvent;
  readonly slices: Sliced<GroupCount>;
  run: GroupCount;
  readonly firstMs: number;
  lastMs: number;
  /** When it was last taken, whatever its own time says. */
  lastSeenMs: number;
};

export type ErrorGroups = Kept<ErrorGroup>;

export function newErrorGroups(room: Room): ErrorGroups {
  return new Kept<ErrorGroup>(GROUPS_MAX, room);
}

export function addErrors(groups: ErrorGroups, errors: readonly ErrorEvent[], nowMs: number): void {
  for (const error of errors) addError(groups, error, nowMs);
}

function addError(groups: ErrorGroups, error: ErrorEvent, nowMs: number): void {
  const shown = groups.hasRoom || groups.has(error.group) ? error : asOther(error);
  const group = groups.get(shown.group) ?? groups.add(shown.group, newGroup(shown, nowMs));
  group.lastSeenMs = nowMs;
  if (error.timeMs >= group.lastMs) {
    group.last = shown;
    group.lastMs = error.timeMs;
  }
  const change = (slice: GroupCount) => {
    slice.count++;
    if (error.handled) slice.handled++;
  };
  change(group.run);
  if (error.timeMs <= nowMs + CLOCK_AHEAD_MAX_MS) group.slices.add(error.timeMs, nowMs, change);
}

function asOther(error: ErrorEvent): ErrorEvent {
  const message = "more groups than are kept apart";
  return { ...error, group: "other", type: "other", path: "other", message };
}

function newGroup(first: ErrorEvent, nowMs: number): ErrorGroup {
  return {
    group: first.group,
    first,
    last: first,
    slices: new Sliced(() => new GroupCount(), agentSlicing),
    run: new GroupCount(),
    firstMs: first.timeMs,
    lastMs: first.timeMs,
    lastSeenMs: nowMs,
  };
}
