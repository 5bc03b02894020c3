/**
 * What the journal keeps: everything that changes what the monitor knows. An entry
 * becomes bytes (spans and metric points, of which there are very many) or JSON (all else) and
 * back. Metric points of earlier versions are JSON.
 */
import type { Handover } from "../live/source-of-record.ts";
import type { Notification } from "../notify/notification.ts";
import type { AlertState } from "../rules/step-alerts.ts";
import type { AccountDays } from "../signals/account-day.ts";
import type { AlertChange } from "../signals/alert.ts";
import type { HealthResult } from "../signals/health-result.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import type { Sample } from "../signals/sample.ts";
import type { EntryBody } from "../store/journal.ts";
import {
  decodeMetrics,
  encodeMetrics,
  METRIC_FORMAT,
  type MetricBatch,
} from "../store/metric-codec.ts";
import { decodeSpans, encodeSpans, type SpanBatch } from "../store/span-codec.ts";

export type JournalEntry =
  | ({ readonly kind: "spans" } & SpanBatch)
  | { readonly kind: "close"; readonly traceIds: readonly string[] }
  | {
      readonly kind: "observed";
      readonly samples: readonly Sample[];
      readonly health: readonly HealthResult[];
      readonly dropped: Readonly<Record<string, number>>;
    }
  | ({ readonly kind: "metrics" } & MetricBatch)
  | {
      /** What endpoints logged, seen from outside; spans tell the same from inside. */
      readonly kind: "requests";
      readonly requests: readonly LoggedRequest[];
      readonly dropped: Readonly<Record<string, number>>;
    }
  | ({
      /** What Databricks counts and bills, where it is other than known. */ readonly kind: "account";
    } & AccountDays)
  | {
      /** How far a source has read: all that happened before is told, but for what appears late. */
      readonly kind: "read";
      readonly source: string;
      readonly upToMs: number;
    }
  | {
      readonly kind: "alerts";
      readonly changes: readonly AlertChange[];
      /** All alerts after the changes. */
      readonly alerts: readonly AlertState[];
      readonly notifications: readonly Notification[];
    }
  | {
      /** What is still true of entries that are about to leave the journal. */
      readonly kind: "carried";
      readonly alerts: readonly AlertState[];
      readonly components: readonly Component[];
      readonly notifications: readonly KeptNotification[];
      readonly changes: readonly Change[];
      /** Missing in journals of earlier versions. */
      readonly handovers?: readonly Handover[];
      /** Missing, too. */
      readonly account?: AccountDays;
      /** Missing, too; by source. */
      readonly readUpToMs?: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: "notified";
      readonly id: string;
      readonly state: NotificationState;
      readonly attempts: number;
      readonly problem: string | null;
    };

export type NotificationState = "waiting" | "sent" | "failed";

export type KeptNotification = {
  readonly notification: Notification;
  readonly state: NotificationState;
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly problem: string | null;
};

export type Component = HealthResult & { readonly sinceMs: number };

export type Change = {
  readonly timeMs: number;
  readonly kind: "alert" | "error_group" | "notification" | "health" | "deployment";
  readonly endpoint: string | null;
  readonly to: string;
  readonly text: string;
};

export function bodyOf(entry: JournalEntry): EntryBody {
  switch (entry.kind) {
    case "spans":
      return encodeSpans(entry);
    case "metrics":
      return encodeMetrics(entry);
    default:
      return JSON.stringify(entry);
  }
}

/** @throws Error when `bodyOf` did not make it, or another version of it. */
export function entryOf(body: EntryBody): JournalEntry {
  // The journal's checksum says that this is what was written.
  if (typeof body === "string") return JSON.parse(body) as JournalEntry;
  const isMetrics = body[0] === METRIC_FORMAT;
  return isMetrics
    ? { kind: "metrics", ...decodeMetrics(body) }
    : { kind: "spans", ...decodeSpans(body) };
}
