/** What a caller gets when metrics could not be logged to MLflow: with what is left to do. */
import { type ErrorCode, MonitorError } from "../../monitor-error.ts";

/**
 * Not everything was logged. Calling again with `remaining` as the metrics, and
 * the same time and step, goes on where it stopped.
 */
export class MlflowLogError extends MonitorError {
  readonly logged: number;
  /** Surely not logged. */
  readonly remaining: Readonly<Record<string, number>>;
  /** Sent, and it could not be found out whether they were logged. */
  readonly unconfirmed: Readonly<Record<string, number>>;

  constructor(
    code: ErrorCode,
    message: string,
    {
      hint,
      logged,
      remaining,
      unconfirmed,
    }: Pick<MlflowLogError, "hint" | "logged" | "remaining" | "unconfirmed">,
  ) {
    super(code, message, { hint });
    this.name = "MlflowLogError";
    this.logged = logged;
    this.remaining = remaining;
    this.unconfirmed = unconfirmed;
  }
}
