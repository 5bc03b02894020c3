/**
 * The writing half, the same in every thread: finds the row that a record belongs to,
 * keeps the limits, refuses what is not a measurement. Nothing here throws for what a
 * caller records: a service must not fail because of what it measures.
 */
import type { Clock } from "../clock.ts";
import type { Arena } from "./arena.ts";
import {
  describe,
  keep,
  keepLabels,
  keepName,
  LABEL_VALUE_MAX_CHARS,
  type LabelPairs,
  OVERFLOW_LABELS,
  readDescription,
} from "./labels.ts";
import { OVERFLOW_TOTAL, WINDOW_SKIPPED_TOTAL } from "./ledger.ts";
import {
  GAUGE_SEQUENCE,
  GAUGE_VALUE,
  KIND_COUNTER,
  KIND_GAUGE,
  KIND_LATENCY,
  type RowKind,
  RowWriter,
} from "./rows.ts";
import { type Labels, SeriesTable } from "./series-table.ts";
import { Shard } from "./shard.ts";

/** Different metrics; what is above goes to `overflow_total`, `overflow` and `overflow_latency_ms`. */
export const METRICS_MAX = 1_000;

export const REQUEST_LATENCY = "request_latency_ms";
export const REQUEST_TOTAL = "request_total";
export const REJECTED_TOTAL = "metrics_rejected_total";
/** The collector's own counters are outside the limits, or it could not tell that they are reached. */
const OWN_PREFIX = "metrics_";

export type RejectReason = "not_finite" | "negative";

type Target = { readonly row: number; readonly isOverflow: boolean };
type RowTable = SeriesTable<Target>;

export class Recorder {
  readonly shard: Shard;
  readonly #rows: RowWriter;
  readonly #seriesMax: number;
  readonly #seriesPerMetricMax: number;
  #seriesCount = 0;
  readonly #seriesOfMetric = new Map<string, number>();
  readonly #requests: SeriesTable<RequestHandle>;
  readonly #requestByDescription = new Map<string, RequestHandle>();
  readonly #tables: Readonly<Record<RowKind, RowTable>>;
  readonly #overflow: Readonly<Record<RowKind, number>>;
  readonly #overflowRow: number;
  readonly #rejectedRows: Readonly<Record<RejectReason, number>>;

  constructor(
    arena: Arena,
    shard: number,
    options: {
      readonly clock: Clock;
      readonly everySample: boolean;
      readonly ringSamples: number;
      readonly onTick: () => void;
    },
  ) {
    this.shard = new Shard(arena, shard, options);
    this.#rows = new RowWriter(arena, shard);
    const { maxSeries, maxSeriesPerMetric } = arena.limits;
    this.#seriesMax = maxSeries;
    this.#seriesPerMetricMax = maxSeriesPerMetric;
    for (const { kind, description } of this.#rows.known()) {
      this.#countSeries(kind, readDescription(description).name);
    }
    this.#requests = new SeriesTable(maxSeries);
    this.#tables = {
      [KIND_COUNTER]: new SeriesTable(maxSeries),
      [KIND_GAUGE]: new SeriesTable(maxSeries),
      [KIND_LATENCY]: new SeriesTable(maxSeries),
    };
    // Made at once, so that they are there when the memory is used up.
    this.#overflow = {
      [KIND_COUNTER]: this.#mustRow(KIND_COUNTER, "overflow_total", OVERFLOW_LABELS),
      [KIND_GAUGE]: this.#mustRow(KIND_GAUGE, "overflow", OVERFLOW_LABELS),
      [KIND_LATENCY]: this.#mustRow(KIND_LATENCY, "overflow_latency_ms", OVERFLOW_LABELS),
    };
    this.#mustRow(KIND_COUNTER, WINDOW_SKIPPED_TOTAL, []);
    this.#overflowRow = this.#mustRow(KIND_COUNTER, OVERFLOW_TOTAL, []);
    this.#rejectedRows = {
      not_finite: this.#mustRow(KIND_COUNTER, REJECTED_TOTAL, [["reason", "not_finite"]]),
      negative: this.#mustRow(KIND_COUNTER, REJECTED_TOTAL, [["reason", "negative"]]),
    };
  }

  request(
    endpoint: string,
    version: string | undefined,
    labels: Labels | undefined,
  ): RequestHandle {
    if (typeof endpoint !== "string") return this.request(keepName(endpoint), version, labels);
    if (version !== undefined && typeof version !== "string") {
      return this.request(endpoint, version === null ? undefined : keepName(version), labels);
    }
    return (
      this.#requests.find(endpoint, version, labels) ?? this.#addRequest(endpoint, version, labels)
    );
  }

  #addRequest(
    endpoint: string,
    version: string | undefined,
    labels: Labels | undefined,
  ): RequestHandle {
    const own: [string, string][] = [["endpoint", endpoint]];
    if (version !== undefined) own.push(["model_version", version]);
    const pairs = keepLabels(own, labels);
    const description = describe(REQUEST_LATENCY, pairs);
    let handle = this.#requestByDescription.get(description);
    if (!handle) {
      const target = this.#target(KIND_LATENCY, REQUEST_LATENCY, pairs);
      if (target.isOverflow) return this.#overflowRequest(target);
      handle = new RequestHandle(this, target.row, pairs);
      this.#requestByDescription.set(description, handle);
    }
    this.#requests.add(endpoint, version, labels, { handle, keep: keepForTable });
    return handle;
  }

  #overflowRequest(target: Target): RequestHandle {
    const description = describe(REQUEST_LATENCY, OVERFLOW_LABELS);
    let handle = this.#requestByDescription.get(description);
    if (!handle) {
      handle = new RequestHandle(this, target.row, OVERFLOW_LABELS);
      this.#requestByDescription.set(description, handle);
    }
    return handle;
  }

  addToCounter(name: string, value: number, own: LabelPairs, labels: Labels | undefined): void {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      this.reject(value);
      return;
    }
    this.shard.add(this.#rowOf(KIND_COUNTER, name, own, labels), value);
  }

  observe(
    name: string,
    ms: number,
    own: LabelPairs,
    labels: Labels | undefined,
    traceId: string | undefined,
  ): void {
    if (!isLatency(ms)) {
      this.reject(ms);
      return;
    }
    const row = this.#rowOf(KIND_LATENCY, name, own, labels);
    this.shard.observe(row, ms);
    if (typeof traceId === "string") this.shard.setExemplar(row, traceId, ms);
  }

  setGauge(name: string, value: number, labels: Labels | undefined): void {
    // A gauge may be NaN or infinite; what is no number at all is neither.
    if (typeof value !== "number") {
      this.reject(value);
      return;
    }
    const row = this.#rowOf(KIND_GAUGE, name, [], labels);
    const { arena } = this.shard;
    arena.doubles[row + GAUGE_VALUE] = value;
    arena.doubles[row + GAUGE_SEQUENCE] = arena.nextGaugeSequence();
  }

  /** The counter of a request's status; `isOverflow` rows must not be kept by the caller. */
  statusTarget(labels: LabelPairs, statusCode: number | undefined): Target {
    const pairs =
      statusCode === undefined || statusCode === null
        ? labels
        : keepLabels([["status_code", statusText(statusCode)], ...labels], undefined);
    const isOverflow = labels === OVERFLOW_LABELS;
    return this.#target(KIND_COUNTER, REQUEST_TOTAL, isOverflow ? OVERFLOW_LABELS : pairs);
  }

  reject(value: unknown): void {
    const isNegative = typeof value === "number" && value < 0 && value > Number.NEGATIVE_INFINITY;
    this.shard.add(this.#rejectedRows[isNegative ? "negative" : "not_finite"], 1);
  }

  overflowed(): void {
    this.shard.add(this.#overflowRow, 1);
  }

  #rowOf(kind: RowKind, name: string, own: LabelPairs, labels: Labels | undefined): number {
    if (typeof name !== "string") return this.#rowOf(kind, keepName(name), own, labels);
    const table = this.#tables[kind];
    // The collector's own labels are few and short: as one text they are half of the key.
    const second = own.length === 0 ? undefined : ownKey(own);
    const target = table.find(name, second, labels) ?? this.#add(kind, name, second, own, labels);
    if (target.isOverflow) this.overflowed();
    return target.row;
  }

  #add(
    kind: RowKind,
    name: string,
    second: string | undefined,
    own: LabelPairs,
    labels: Labels | undefined,
  ): Target {
    const target = this.#target(kind, keepName(name), keepLabels(own, labels));
    if (!target.isOverflow) {
      this.#tables[kind].add(name, second, labels, { handle: target, keep: keepForTable });
    }
    return target;
  }

  #target(kind: RowKind, name: string, labels: LabelPairs): Target {
    const description = describe(name, labels);
    if (this.#rows.has(kind, description)) {
      return { row: this.#rows.rowOf(kind, description), isOverflow: labels === OVERFLOW_LABELS };
    }
    const metric = `${kind}${name}`;
    const seriesOfMetric = this.#seriesOfMetric.get(metric) ?? 0;
    const isNewMetric = seriesOfMetric === 0;
    if (isNewMetric && this.#seriesOfMetric.size >= METRICS_MAX) {
      return { row: this.#overflow[kind], isOverflow: true };
    }
    if (this.#seriesCount < this.#seriesMax && seriesOfMetric < this.#seriesPerMetricMax) {
      const row = this.#rows.rowOf(kind, description);
      if (row >= 0) {
        this.#countSeries(kind, name);
        return { row, isOverflow: false };
      }
    }
    const row = this.#rows.rowOf(kind, describe(name, OVERFLOW_LABELS));
    if (row >= 0 && isNewMetric) this.#seriesOfMetric.set(metric, 1);
    return { row: row >= 0 ? row : this.#overflow[kind], isOverflow: true };
  }

  #countSeries(kind: number, name: string): void {
    if (name.startsWith(OWN_PREFIX)) return;
    const metric = `${kind}${name}`;
    this.#seriesOfMetric.set(metric, (this.#seriesOfMetric.get(metric) ?? 0) + 1);
    this.#seriesCount++;
  }

  #mustRow(kind: RowKind, name: string, labels: LabelPairs): number {
    const row = this.#rows.rowOf(kind, describe(name, labels));
    if (row < 0) throw new RangeError("The memory for metrics is used up: no row for this thread.");
    return row;
  }

  close(): void {
    this.shard.close();
  }
}

/** Records requests of one endpoint, version and label set, without looking them up. */
export class RequestHandle {
  readonly #recorder: Recorder;
  readonly #shard: Shard;
  readonly #row: number;
  readonly #labels: LabelPairs;
  readonly #statusRows = new Map<number | undefined, number>();
  #lastStatus: number | undefined = -1;
  #lastStatusRow = 0;

  constructor(recorder: Recorder, row: number, labels: LabelPairs) {
    this.#recorder = recorder;
    this.#shard = recorder.shard;
    this.#row = row;
    this.#labels = labels;
  }

  /** Never throws: a latency that is none is counted as rejected, the request still counts. */
  record(
    latencyMs: number,
    statusCode?: number | undefined,
    options?: { readonly traceId?: string | undefined },
  ): void {
    const shard = this.#shard;
    if (statusCode !== this.#lastStatus) this.#useStatus(statusCode);
    if (latencyMs >= 0 && latencyMs < Number.POSITIVE_INFINITY && typeof latencyMs === "number") {
      shard.request(this.#row, this.#lastStatusRow, latencyMs);
      if (options !== undefined) this.#keepExemplar(options, latencyMs);
    } else {
      shard.add(this.#lastStatusRow, 1);
      this.#recorder.reject(latencyMs);
    }
  }

  #useStatus(statusCode: number | undefined): void {
    let row = this.#statusRows.get(statusCode);
    this.#lastStatus = statusCode;
    if (row === undefined) {
      const target = this.#recorder.statusTarget(this.#labels, statusCode);
      row = target.row;
      if (target.isOverflow) {
        this.#recorder.overflowed();
        this.#lastStatus = -1; // asked again, and so counted again, next time
      } else if (this.#statusRows.size < STATUS_ROWS_MAX) {
        this.#statusRows.set(statusCode, row);
      }
    }
    this.#lastStatusRow = row;
  }

  #keepExemplar(options: { readonly traceId?: string | undefined }, latencyMs: number): void {
    const traceId = options?.traceId;
    if (typeof traceId === "string") this.#shard.setExemplar(this.#row, traceId, latencyMs);
  }
}

/** Statuses whose rows a handle remembers; any others are looked up each time. */
const STATUS_ROWS_MAX = 16;

function statusText(statusCode: number): string {
  return Number.isInteger(statusCode) && statusCode >= 100 && statusCode <= 599
    ? String(statusCode)
    : "other";
}

function isLatency(ms: unknown): ms is number {
  return typeof ms === "number" && ms >= 0 && ms < Number.POSITIVE_INFINITY;
}

/** What is too long to keep as it is takes the slow way each time. */
function keepForTable(text: string): string | undefined {
  if (typeof text !== "string" || text.length > LABEL_VALUE_MAX_CHARS) return undefined;
  const kept = keep(text, LABEL_VALUE_MAX_CHARS);
  return kept === text ? kept : undefined;
}

function ownKey(own: LabelPairs): string {
  let key = "";
  for (const [name, value] of own) key += `${name}\u0001${value}\u0002`;
  return key;
}
