/** Alerts: what one rule says of one endpoint, or of the workspace, over time. Times are Unix milliseconds. */
export type AlertStateName = "inactive" | "pending" | "firing" | "resolved";

/** One step of one alert. */
export type AlertChange = {
  /** The same step has the same id, also after a restart. */
  readonly id: string;
  readonly ruleId: string;
  /** `null`: it is about the workspace. */
  readonly endpoint: string | null;
  readonly from: AlertStateName;
  readonly to: AlertStateName;
  /** What the rule measured, in the unit of its threshold; `null` when there was nothing to measure. */
  readonly value: number | null;
  readonly threshold: number;
  /** One sentence in plain words, the same that the page opens with. */
  readonly reason: string;
  readonly timeMs: number;
};

/**
 * What an alert is about, in a word, wherever a name is due: an id, a label, the
 * report. A rule watches either endpoints or the workspace, so an endpoint that is
 * called `workspace` is not taken for it where the rule stands beside it.
 */
export function subjectName(endpoint: string | null): string {
  return endpoint ?? "workspace";
}
