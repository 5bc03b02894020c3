/**
 * The writing half, the same in every thread: finds the row that a record belongs to,
 * keeps the limits, refuses what is not a measurement. Nothing here throws for what a
 * caller records: a service must not fail because of what it measures.
 */
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
  withLabel,
} from "./labels.ts";
import {
  isLimited,
  METRICS_MAX,
  OVERFLOWED,
  OWN_METRICS,
  overflowOf,
  type RejectReason,
  rejectedFor,
  WINDOW_SKIPPED,
} from "./own-series.ts";
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
import { Shard, type ShardOptions } from "./shard.ts";

export const REQUEST_LATENCY = "request_latency_ms";
export const REQUEST_TOTAL = "request_total";

type Target = { readonly row: number; readonly isOverflow: boolean };
type RowTable = SeriesTable<Target>;

export class Recorder {
  readonly shard: Shard;
  readonly #rows: RowWriter;
  readonly #seriesMax: number;
  readonly #seriesPerMetricMax: number;
  #seriesCount = 0;
  readonly #seriesOfMetric = new Map<string, number>();
  readonly #overflowOfMetric = new Map<string, Target>();
  readonly #requests: SeriesTable<RequestHandle>;
  readonly #requestByDescription = new Map<string, RequestHandle>();
  #overflowRequest: RequestHandle | undefined;
  readonly #tables: Readonly<Record<RowKind, RowTable>>;
  readonly #overflow: Readonly<Record<RowKind, number>>;
  readonly #overflowRow: number;
  readonly #rejectedRows: Readonly<Record<RejectReason, number>>;

  /** @throws RangeError when there is no memory for this thread. */
  constructor(arena: Arena, shard: number, options: ShardOptions) {
    this.shard = new Shard(arena, shard, options);
    this.#rows = new RowWriter(arena, shard, options.fresh);
    const { maxSeries, maxSeriesPerMetric } = arena.limits;
    this.#seriesMax = maxSeries;
    this.#seriesPerMetricMax = maxSeriesPerMetric;
    for (const { kind, description } of this.#rows.known()) {
      this.#count(kind, readDescription(description).name, description);
    }
    this.#requests = new SeriesTable(maxSeries);
    this.#tables = {
      [KIND_COUNTER]: new SeriesTable(maxSeries),
      [KIND_GAUGE]: new SeriesTable(maxSeries),
      [KIND_LATENCY]: new SeriesTable(maxSeries),
    };
    // Made at once, so that they are there when the memory is used up.
    this.#overflow = {
      [KIND_COUNTER]: this.#mustRow(KIND_COUNTER, overflowOf(KIND_COUNTER)),
      [KIND_GAUGE]: this.#mustRow(KIND_GAUGE, overflowOf(KIND_GAUGE)),
      [KIND_LATENCY]: this.#mustRow(KIND_LATENCY, overflowOf(KIND_LATENCY)),
    };
    this.#mustRow(KIND_COUNTER, WINDOW_SKIPPED);
    this.#overflowRow = this.#mustRow(KIND_COUNTER, OVERFLOWED);
    this.#rejectedRows = {
      not_finite: this.#mustRow(KIND_COUNTER, rejectedFor("not_finite")),
      negative: this.#mustRow(KIND_COUNTER, rejectedFor("negative")),
      unreadable: this.#mustRow(KIND_COUNTER, rejectedFor("unreadable")),
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
    const given = copyOf(labels);
    const pairs = keepLabels(own, given);
    const description = describe(REQUEST_LATENCY, pairs);
    let handle = this.#requestByDescription.get(description);
    if (!handle) {
      const target = this.#target(KIND_LATENCY, REQUEST_LATENCY, pairs);
      if (target.isOverflow) {
        this.#overflowRequest ??= new RequestHandle(this, target.row, OVERFLOW_LABELS);
        return this.#overflowRequest;
      }
      handle = new RequestHandle(this, target.row, pairs);
      this.#requestByDescription.set(description, handle);
    }
    this.#requests.add(endpoint, version, given, { handle, keep: keepForTable });
    return handle;
  }

  addToCounter(name: string, value: number, own: LabelPairs, labels: Labels | undefined): void {
    if (isMeasurement(value)) this.shard.add(this.#rowOf(KIND_COUNTER, name, own, labels), value);
    else this.rejectValue(value);
  }

  observe(
    name: string,
    ms: number,
    own: LabelPairs,
    labels: Labels | undefined,
    traceId: string | undefined,
  ): void {
    if (!isMeasurement(ms)) {
      this.rejectValue(ms);
      return;
    }
    const row = this.#rowOf(KIND_LATENCY, name, own, labels);
    this.shard.observe(row, ms);
    if (typeof traceId === "string") this.shard.setExemplar(row, traceId, ms);
  }

  setGauge(name: string, value: number, labels: Labels | undefined): void {
    // A gauge may be NaN or infinite; what is no number at all is neither.
    if (typeof value !== "number") {
      this.rejectValue(value);
      return;
    }
    const row = this.#rowOf(KIND_GAUGE, name, [], labels);
    const { arena } = this.shard;
    // The value first: whoever sees the number sees the value that belongs to it.
    arena.doubles[row + GAUGE_VALUE] = value;
    arena.doubles[row + GAUGE_SEQUENCE] = arena.nextGaugeSequence();
  }

  /** The counter of a request's status; `isOverflow` rows must not be kept by the caller. */
  statusTarget(labels: LabelPairs, statusCode: number | undefined): Target {
    if (labels === OVERFLOW_LABELS) return this.#overflowTarget(KIND_COUNTER, REQUEST_TOTAL);
    const pairs =
      statusCode === undefined || statusCode === null
        ? labels
        : withLabel(labels, "status_code", statusText(statusCode));
    return this.#target(KIND_COUNTER, REQUEST_TOTAL, pairs);
  }

  reject(reason: RejectReason): void {
    this.shard.add(this.#rejectedRows[reason], 1);
  }

  rejectValue(value: unknown): void {
    const isNumber = typeof value === "number" && Number.isFinite(value);
    this.reject(isNumber ? "negative" : "not_finite");
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
    const given = copyOf(labels);
    const target = this.#target(kind, keepName(name), keepLabels(own, given));
    if (!target.isOverflow) {
      this.#tables[kind].add(name, second, given, { handle: target, keep: keepForTable });
    }
    return target;
  }

  #target(kind: RowKind, name: string, labels: LabelPairs): Target {
    const description = describe(name, labels);
    if (this.#rows.has(kind, description)) {
      return { row: this.#rows.rowOf(kind, description), isOverflow: false };
    }
    const ofMetric = this.#seriesOfMetric.get(`${kind}${name}`);
    const isMetricOver = ofMetric === undefined && this.#isMetricLimitReached();
    const isOver =
      this.#seriesCount >= this.#seriesMax || (ofMetric ?? 0) >= this.#seriesPerMetricMax;
    if (!isMetricOver && !isOver) {
      const row = this.#rows.rowOf(kind, description);
      if (row >= 0) {
        this.#count(kind, name, description);
        return { row, isOverflow: false };
      }
    }
    return this.#overflowTarget(kind, name);
  }

  /** The overflow series of a metric, or of all metrics when there is no room for it. */
  #overflowTarget(kind: RowKind, name: string): Target {
    const metric = `${kind}${name}`;
    const known = this.#overflowOfMetric.get(metric);
    if (known) return known;
    const ofAll = { row: this.#overflow[kind], isOverflow: true };
    if (!this.#seriesOfMetric.has(metric) && this.#isMetricLimitReached()) return ofAll;
    const description = describe(name, OVERFLOW_LABELS);
    const row = this.#rows.rowOf(kind, description);
    if (row < 0) return ofAll;
    this.#count(kind, name, description);
    const target = { row, isOverflow: true };
    this.#overflowOfMetric.set(metric, target);
    return target;
  }

  #isMetricLimitReached(): boolean {
    return this.#seriesOfMetric.size >= METRICS_MAX + OWN_METRICS;
  }

  /** Notes a row that is new in this thread. */
  #count(kind: RowKind, name: string, description: string): void {
    const isCounted = isLimited(kind, name, description);
    if (isCounted) this.#seriesCount++;
    const metric = `${kind}${name}`;
    this.#seriesOfMetric.set(metric, (this.#seriesOfMetric.get(metric) ?? 0) + (isCounted ? 1 : 0));
  }

  #mustRow(kind: RowKind, description: string): number {
    const row = this.#rows.rowOf(kind, description);
    if (row < 0) throw new RangeError("The memory for metrics is used up: no row for this thread.");
    this.#count(kind, readDescription(description).name, description);
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
  readonly #row: number = 0;
  readonly #labels: LabelPairs;
  readonly #statusRows = new Map<number | undefined, number>();
  /** NaN is equal to no status, itself included. */
  #lastStatus: number | undefined = Number.NaN;
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
    if (isMeasurement(latencyMs)) {
      shard.request(this.#row, this.#lastStatusRow, latencyMs);
      if (options !== undefined) this.#keepExemplar(options, latencyMs);
    } else {
      shard.add(this.#lastStatusRow, 1);
      this.#recorder.rejectValue(latencyMs);
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
        this.#lastStatus = Number.NaN; // asked again, and so counted again, next time
      } else if (this.#statusRows.size < STATUS_ROWS_MAX) {
        this.#statusRows.set(statusCode, row);
      }
    }
    this.#lastStatusRow = row;
  }

  #keepExemplar(options: { readonly traceId?: string | undefined }, latencyMs: number): void {
    try {
      const traceId = options?.traceId;
      if (typeof traceId === "string") this.#shard.setExemplar(this.#row, traceId, latencyMs);
    } catch {
      // The request counts; which trace it was cannot be read.
    }
  }
}

/** Statuses whose rows a handle remembers; any others are looked up each time. */
const STATUS_ROWS_MAX = 16;

function statusText(statusCode: number): string {
  return Number.isInteger(statusCode) && statusCode >= 100 && statusCode <= 599
    ? String(statusCode)
    : "other";
}

/** A number that is finite and not negative. The type first: comparing a symbol throws. */
function isMeasurement(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
}

/** Read once: a getter may answer differently the next time. */
function copyOf(labels: Labels | undefined): Labels | undefined {
  return typeof labels === "object" && labels !== null ? { ...labels } : undefined;
}

/** What is too long to keep as it is takes the slow way each time. */
function keepForTable(text: string): string | undefined {
  if (typeof text !== "string" || text.length > LABEL_VALUE_MAX_CHARS) return undefined;
  const kept = keep(text, LABEL_VALUE_MAX_CHARS);
  return kept === text ? kept : undefined;
}

/** With the length, so that no value can look like the end of it and another label. */
function ownKey(own: LabelPairs): string {
  let key = "";
  for (const [name, value] of own) key += `${name}\u0001${value.length}\u0001${value}\u0002`;
  return key;
}
