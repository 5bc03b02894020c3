/**
 * What the journal keeps: everything that changes what the monitor knows. An entry
 * becomes bytes (spans, of which there are very many) or JSON (all else) and back.
 */

import type { Handover } from "./live/source-of-record.ts";
import type { Notification } from "./notify/notification.ts";
import type { AlertState } from "./rules/step-alerts.ts";
import type { AccountDays } from "./signals/account-day.ts";
import type { AlertChange } from "./signals/alert.ts";
import type { HealthResult } from "./signals/health-result.ts";
import type { LoggedRequest } from "./signals/logged-request.ts";
import type { MetricPoint } from "./signals/metric-point.ts";
import type { Sample } from "./signals/sample.ts";
import type { EntryBody } from "./store/journal.ts";
import { decodeSpans, encodeSpans, type SpanBatch } from "./store/span-codec.ts";

export type JournalEntry =
  | ({ readonly kind: "spans" } & SpanBatch)
  | { readonly kind: "close"; readonly traceIds: readonly string[] }
  | {
      readonly kind: "observed";
      readonly samples: readonly Sample[];
      readonly health: readonly HealthResult[];
      readonly dropped: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: "metrics";
      /** Points that say something new. */
      readonly points: readonly MetricPoint[];
      /** How many more points came that repeat a known value. */
      readonly repeated: number;
      readonly dropped: Readonly<Record<string, number>>;
    }
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
  return entry.kind === "spans" ? encodeSpans(entry) : JSON.stringify(entry);
}

/** @throws Error when `bodyOf` did not make it, or another version of it. */
export function entryOf(body: EntryBody): JournalEntry {
  if (typeof body !== "string") return { kind: "spans", ...decodeSpans(body) };
  // The journal's checksum says that this is what was written.
  return JSON.parse(body) as JournalEntry;
}
