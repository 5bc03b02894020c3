/**
 * What a command asks the monitor that runs on a data directory. It only reads: what is to
 * change goes into the data directory.
 */
import * as z from "zod";
import { readMonitorAddress } from "./monitor-address.ts";

/** What one rule says of one endpoint now. */
export type RuleState = z.infer<typeof ruleSchema>;

/** A monitor on this machine answers within milliseconds. */
const TIMEOUT_MS = 3_000;

const ruleSchema = z.object({
  ruleId: z.string(),
  kind: z.string(),
  endpoint: z.string().nullable(),
  origin: z.enum(["own", "built_in"]),
  state: z.enum(["inactive", "pending", "firing", "resolved"]),
  sinceMs: z.number().nullable(),
  value: z.number().nullable(),
  threshold: z.number(),
  unit: z.string(),
  windowSeconds: z.number(),
  minRequests: z.number(),
  slowerThanMs: z.number().nullable(),
  reason: z.string(),
});

const rulesAnswerSchema = z.object({ startedMs: z.number(), rules: z.array(ruleSchema) });

/** How one export of the history stands. */
export type ExportState = z.infer<typeof exportSchema>;

const exportSchema = z.object({
  target: z.string(),
  state: z.enum(["waiting", "ok", "lagging", "failing", "parked"]),
  lastRunMs: z.number().nullable(),
  asOfMs: z.number().nullable(),
  lagMs: z.number().nullable(),
  rows: z.number().nullable(),
  periodMs: z.number(),
  reason: z.string().nullable(),
  nextRunMs: z.number(),
});

const exportsAnswerSchema = z.object({ startedMs: z.number(), exports: z.array(exportSchema) });

/** The exports of the history with how they stand; `null` where no monitor runs on the data directory. */
export async function askExports(dataDirectory: string): Promise<readonly ExportState[] | null> {
  const answer = await ask(dataDirectory, "/api/exports", exportsAnswerSchema);
  return answer?.answer.exports ?? null;
}

/** The rules of an endpoint with their states; `null` where no monitor runs on the data directory. */
export async function askRules(
  dataDirectory: string,
  endpointName: string,
): Promise<{ readonly url: string; readonly rules: readonly RuleState[] } | null> {
  const path = `/api/rules?endpoint=${encodeURIComponent(endpointName)}`;
  const answered = await ask(dataDirectory, path, rulesAnswerSchema);
  return answered && { url: answered.url, rules: answered.answer.rules };
}

/** `null` where no monitor runs on the data directory. */
async function ask<Answer extends { readonly startedMs: number }>(
  dataDirectory: string,
  path: string,
  schema: z.ZodType<Answer>,
): Promise<{ readonly url: string; readonly answer: Answer } | null> {
  const address = await readMonitorAddress(dataDirectory);
  if (address === null) return null;
  const { url, startedMs } = address;
  try {
    const response = await fetch(`${url}${path}`, {
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) return null;
    const answer = schema.parse(await response.json());
    // Another program, or another monitor, may answer there by now.
    return answer.startedMs === startedMs ? { url, answer } : null;
  } catch {
    return null;
  }
}
