/** Keeps how far one kind of polling has come, and tells a problem once. */
import type { Clock } from "../clock.ts";
import { MonitorError } from "../monitor-error.ts";
import { foreignLine } from "../signals/foreign-line.ts";

/** Longest message of a failure. */
export const MESSAGE_MAX_CHARS = 600;

export type SourceStatus<Name extends string = string> = {
  readonly name: Name;
  readonly state: "ok" | "failing" | "waiting";
  /** Up to when all that there was to read is delivered. */
  readonly asOfMs: number | null;
  readonly lagMs: number | null;
  readonly message: string;
};

/** Called when a problem begins or becomes another, not each time that it lasts. */
export type OnProblem<Name extends string = string> = (problem: {
  readonly source: Name;
  readonly error: unknown;
}) => void;

export type Progress<Name extends string> = {
  succeeded(asOfMs: number, message: string): void;
  /** `withHint`: the message ends in what to do about it. */
  failed(error: unknown, options?: { readonly withHint?: boolean }): void;
  /** Nothing can be read before somebody does what the error says. That is no failure. */
  waits(error: MonitorError): void;
  /** A problem that does not stop the rest. */
  noticed(error: unknown): void;
  asOfMs(): number | null;
  status(): SourceStatus<Name>;
};

export function createProgress<Name extends string>(
  name: Name,
  { clock, onProblem }: { readonly clock: Clock; readonly onProblem: OnProblem<Name> },
): Progress<Name> {
  let state: SourceStatus["state"] = "waiting";
  let asOfMs: number | null = null;
  let message = "Has not been asked yet.";
  let toldCode: string | null = null;

  return {
    succeeded(atMs, what) {
      state = "ok";
      asOfMs = atMs;
      message = what;
      toldCode = null;
    },
    failed(error, { withHint = false } = {}) {
      state = "failing";
      message = foreignLine(messageOf(error), { maxChars: MESSAGE_MAX_CHARS });
      if (withHint && error instanceof MonitorError) {
        message = `${message.replace(/\.?$/, ".")} ${error.hint}`;
      }
      const code = error instanceof MonitorError ? error.code : message;
      if (code !== toldCode) onProblem({ source: name, error });
      toldCode = code;
    },
    waits(error) {
      state = "waiting";
      message = `Not read: ${foreignLine(error.message, { maxChars: MESSAGE_MAX_CHARS }).replace(/\.?$/, ".")} ${error.hint}`;
      if (toldCode !== error.code) onProblem({ source: name, error });
      toldCode = error.code;
    },
    noticed: (error) => onProblem({ source: name, error }),
    asOfMs: () => asOfMs,
    status: () => ({
      name,
      state,
      asOfMs,
      lagMs: asOfMs === null ? null : clock.now() - asOfMs,
      message,
    }),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "Stopped for a reason that is no error.";
}
