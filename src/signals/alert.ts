/** Alerts: what one rule says of one endpoint over time. Times are Unix milliseconds. */
export type AlertStateName = "inactive" | "pending" | "firing" | "resolved";

/** One step of one alert. */
export type AlertChange = {
  /** The same step has the same id, also after a restart. */
  readonly id: string;
  readonly ruleId: string;
  readonly endpoint: string;
  readonly from: AlertStateName;
  readonly to: AlertStateName;
  /** What the rule measured, in the unit of its threshold; `null` when there was nothing to measure. */
  readonly value: number | null;
  readonly threshold: number;
  /** One sentence in plain words, the same that the page opens with. */
  readonly reason: string;
  readonly timeMs: number;
};
