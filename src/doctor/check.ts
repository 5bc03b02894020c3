/**
 * One thing that must be right for agents to be watched or deployed, looked at for real:
 * what was found, and what mends it.
 */
import { MonitorError } from "../monitor-error.ts";
import { foreignLine } from "../signals/foreign-line.ts";

/** `skipped`: it could not be looked at, or nothing asks for it. */
export type Outcome = "ok" | "warning" | "failed" | "skipped";

export type Finding = {
  readonly outcome: Outcome;
  /** What was seen, as a sentence. It holds no secret. */
  readonly evidence: string;
  /** A command, or a sentence, that mends it; `null` where there is nothing to mend. */
  readonly fix: string | null;
  /** The failure is one of credentials, permission or network. */
  readonly isRefused?: boolean;
};

export type Check = {
  readonly name: string;
  run(): Promise<Finding>;
};

export type CheckResult = Finding & { readonly name: string };

export const ok = (evidence: string): Finding => ({ outcome: "ok", evidence, fix: null });
export const skipped = (evidence: string, fix: string | null = null): Finding => ({
  outcome: "skipped",
  evidence,
  fix,
});
export const warning = (evidence: string, fix: string): Finding => ({
  outcome: "warning",
  evidence,
  fix,
});
export const failed = (evidence: string, fix: string): Finding => ({
  outcome: "failed",
  evidence,
  fix,
});

const REFUSED = ["FORBIDDEN", "UNAUTHENTICATED", "UNREACHABLE", "CREDENTIALS_MISSING"];
const EVIDENCE_MAX_CHARS = 1_000;

/** One after the other: what a later one finds may rest on an earlier one. A bug of a check is told as one. */
export async function runChecks(checks: readonly Check[]): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const { name, run } of checks) results.push({ name, ...(await finding(run)) });
  return results;
}

async function finding(run: Check["run"]): Promise<Finding> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    return failure(error);
  }
}

export function failure({ code, message, hint }: MonitorError): Finding {
  const evidence = foreignLine(message, { maxChars: EVIDENCE_MAX_CHARS });
  return { ...failed(evidence, hint), isRefused: REFUSED.some((word) => code.includes(word)) };
}
