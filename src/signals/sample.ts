/** One value of any metric that is not a request: what a platform says of itself. */
export type Sample = {
  /** The metric's name at its source, such as `request_count_total`. */
  readonly name: string;
  readonly kind: "counter" | "gauge" | "latency";
  readonly endpoint: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Always finite. */
  readonly value: number;
  readonly timeMs: number;
};
