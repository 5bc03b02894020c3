/** One change of what is served, as its first request shows it. */
export type Deployment = {
  readonly endpoint: string;
  /** Versions of the model; `null` where it is not known. */
  readonly from: string | null;
  readonly to: string | null;
  /** Hash of the state of the DSPy program that serves from now on; `null` where telemetry does not tell. */
  readonly release: string | null;
  readonly outcome: "serving";
  readonly timeMs: number;
};
