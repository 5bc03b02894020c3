/**
 * Turns whatever a check returned or threw into a finding. Nothing that a check
 * does with its values gets through: getters that throw, proxies, symbols, text of
 * a megabyte. Pure, and also run inside the worker threads of checks, so that only
 * plain data leaves them.
 */
import { MonitorError } from "../monitor-error.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import type { Evidence } from "./check.ts";
import { HealthStatus } from "./health-status.ts";

/** What one run of a check found, or why it found nothing. */
export type Finding = {
  readonly status: HealthStatus;
  readonly state: string | null;
  readonly message: string;
  readonly evidence: Evidence;
};

const MESSAGE_MAX_CHARS = 1000;
const STATE_MAX_CHARS = 64;
const EVIDENCE_MAX_KEYS = 32;
const EVIDENCE_KEY_MAX_CHARS = 64;

const statuses: readonly unknown[] = Object.values(HealthStatus);

export function readResult(value: unknown): Finding {
  try {
    if (typeof value !== "object" || value === null) return invalid(describe(value));
    const { status, message, state, evidence } = value as Record<string, unknown>; // Looked at below.
    if (!isStatus(status)) return invalid(`an object with the status ${describe(status)}`);
    return {
      status,
      state: typeof state === "string" ? foreignLine(state, { maxChars: STATE_MAX_CHARS }) : null,
      message: typeof message === "string" ? line(message) : "",
      evidence: readEvidence(evidence),
    };
  } catch (thrown) {
    return invalid(`an object that can't be read (${describe(thrown)})`);
  }
}

export function readThrown(thrown: unknown): Finding {
  return unknownFinding("threw", `The check threw ${describe(thrown)}.`);
}

/** What could not be found out. */
export function unknownFinding(state: string, message: string): Finding {
  return { status: "unknown", state, message: line(message), evidence: {} };
}

function invalid(what: string): Finding {
  return unknownFinding(
    "invalid_result",
    `The check returned ${what}; it must return { status: "healthy" | "degraded" | "unhealthy" | "unknown", message }.`,
  );
}

function isStatus(value: unknown): value is HealthStatus {
  return statuses.includes(value);
}

function readEvidence(value: unknown): Evidence {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  const kept = Object.entries(value)
    .filter(([, item]) => item === null || isFinitePrimitive(item))
    .slice(0, EVIDENCE_MAX_KEYS)
    .map(([key, item]) => [
      foreignLine(key, { maxChars: EVIDENCE_KEY_MAX_CHARS }),
      typeof item === "string" ? foreignLine(item) : item,
    ]);
  return Object.fromEntries(kept);
}

/** JSON would turn other numbers into `null`, which means that nothing is known. */
function isFinitePrimitive(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

/** In a few words, whatever it is. Never throws. */
export function describe(value: unknown): string {
  try {
    if (value instanceof MonitorError)
      return line(`${value.code}: ${value.message}. ${value.hint}`);
    if (value instanceof Error) return line(`${value.name}: ${value.message}`).replace(/\.$/, "");
    if (typeof value === "string") return line(JSON.stringify(value));
    if (typeof value === "function") return "a function";
    if (Array.isArray(value)) return "a list";
    if (typeof value === "object" && value !== null) return "an object";
    return line(String(value));
  } catch {
    return "something that can't be described";
  }
}

function line(text: string): string {
  return foreignLine(text, { maxChars: MESSAGE_MAX_CHARS });
}
