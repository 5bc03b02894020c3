/**
 * Logs metrics to a run of an MLflow tracking server, in batches within its limits.
 * MLflow appends: a metric sent twice may be there twice, and a batch that failed
 * may have been written in part. So a batch is sent again only when it surely was
 * not taken; otherwise the run is read, and only what is missing there is sent.
 *
 * Source: MLflow REST API, `runs/log-batch` and `runs/get`.
 */
import { type Clock, systemClock } from "../../clock.ts";
import { type ErrorCode, MonitorError } from "../../monitor-error.ts";
import { scrub } from "../../signals/scrub.ts";
import { type Fetch, type Outcome, type Request, send, wait } from "../post.ts";
import { bearer, receiverUrl } from "../receiver-address.ts";
import { MlflowLogError } from "./mlflow-log-error.ts";

/** Most metrics in one batch, as MLflow and Databricks have it. */
export const BATCH_METRICS_MAX = 1_000;
/** Largest body of a batch, in bytes; the servers take 1 MB. */
export const BATCH_MAX_BYTES = 900_000;
/** Longest name of a metric, in characters. */
export const NAME_LENGTH_MAX = 250;
/** Attempts of one batch, the first included. */
const ATTEMPTS_MAX = 4;
/** For one request, from connecting to the last byte, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;
/** For everything, in milliseconds. */
export const TOTAL_TIMEOUT_MS = 120_000;
/** The wait before attempt n is random between 0 and this much times 2^(n-1), in milliseconds. */
const RETRY_BASE_MS = 1_000;
/** Largest answer that is read, in bytes: a run with its metrics. */
const ANSWER_MAX_BYTES = 16 * 1024 * 1024;
/** What is kept of what a server says, in characters. */
const SAID_LENGTH_MAX = 300;

export type MlflowLogOptions = {
  /** Of the tracking server or the workspace, such as `http://127.0.0.1:5000`. */
  readonly host: string;
  readonly token?: string;
  readonly runId: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly timestampMs: number;
  readonly step?: number;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  readonly random?: () => number;
};

export type MlflowLogged = {
  readonly logged: number;
  /** Names of metrics that were no finite number: JSON has none, so they are not sent. */
  readonly skipped: readonly string[];
};

/**
 * @throws MonitorError `CONFIG_INVALID` for an address or token that can't be used,
 * `USAGE_INVALID` for a run, time, step or name that MLflow would refuse: nothing was sent.
 * @throws MlflowLogError when some or all could not be logged.
 */
export async function logToMlflow(options: MlflowLogOptions): Promise<MlflowLogged> {
  const server = serverOf(options);
  check(options);
  const { entries, skipped } = entriesOf(options);
  const clock = options.clock ?? systemClock;
  const deadlineMs = clock.now() + TOTAL_TIMEOUT_MS;
  const context: Context = { options, server, clock, deadlineMs };

  let logged = 0;
  const batches = batchesOf(entries, options.runId);
  for (const [index, batch] of batches.entries()) {
    const failure = await logBatch(batch, context);
    if (failure === null) {
      logged += batch.length;
      continue;
    }
    const { outcome, purpose, missing, unconfirmed } = failure;
    const later = batches.slice(index + 1).flat();
    const all = logged + batch.length - missing.length - unconfirmed.length;
    const { code, message, hint } = explain(outcome, { purpose, server, options });
    throw new MlflowLogError(
      code,
      `${message}; ${all} of ${entries.length} metrics were logged to run ${options.runId}`,
      {
        hint,
        logged: all,
        remaining: recordOf([...missing, ...later]),
        unconfirmed: recordOf(unconfirmed),
      },
    );
  }
  return { logged, skipped };
}

type Entry = {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
};

type Server = { readonly url: string; readonly headers: Readonly<Record<string, string>> };

type Context = {
  readonly options: MlflowLogOptions;
  readonly server: Server;
  readonly clock: Clock;
  readonly deadlineMs: number;
};

type Failure = {
  readonly outcome: Outcome;
  readonly purpose: "log metrics" | "read the run";
  readonly missing: readonly Entry[];
  readonly unconfirmed: readonly Entry[];
};

function serverOf({ host, token }: MlflowLogOptions): Server {
  const url = receiverUrl(host, "the MLflow server");
  url.search = "";
  return {
    url: url.href.replace(/\/+$/, ""),
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : bearer(token, url)),
    },
  };
}

function check({ runId, metrics, timestampMs, step = 0 }: MlflowLogOptions): void {
  if (!/^[A-Za-z0-9][\w-]{0,255}$/.test(runId)) {
    throw usage("the run id is no id of MLflow", "Give the id of a run, as MLflow shows it.");
  }
  for (const [what, value] of Object.entries({ timestampMs, step })) {
    if (!Number.isSafeInteger(value))
      throw usage(`${what} is no whole number`, `Give ${what} whole.`);
  }
  const refused = Object.keys(metrics).filter((name) => !isName(name));
  const [first] = refused;
  if (first === undefined) return;
  throw usage(
    `MLflow would refuse ${refused.length} of the metric names, the first is ${JSON.stringify(first.slice(0, 80))}`,
    `Use at most ${NAME_LENGTH_MAX} letters, digits, and _ - . : / or blanks, no / at either end and none twice.`,
  );
}

/** MLflow also takes letters of any script, but not every store behind it does. */
function isName(name: string): boolean {
  if (!/^[\w.\-:/ ]+$/.test(name) || name.length > NAME_LENGTH_MAX) return false;
  return name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function entriesOf({ metrics, timestampMs, step = 0 }: MlflowLogOptions) {
  const entries: Entry[] = [];
  const skipped: string[] = [];
  for (const [key, value] of Object.entries(metrics)) {
    if (Number.isFinite(value)) entries.push({ key, value, timestamp: timestampMs, step });
    else skipped.push(key);
  }
  return { entries, skipped };
}

function batchesOf(entries: readonly Entry[], runId: string): Entry[][] {
  const batches: Entry[][] = [];
  let batch: Entry[] = [];
  let sizeBytes = 0;
  for (const entry of entries) {
    const entryBytes = Buffer.byteLength(JSON.stringify(entry)) + 1;
    const isFull = batch.length === BATCH_METRICS_MAX || sizeBytes + entryBytes > BATCH_MAX_BYTES;
    if (batch.length === 0 || isFull) {
      batch = [];
      batches.push(batch);
      sizeBytes = Buffer.byteLength(bodyOf(runId, []));
    }
    batch.push(entry);
    sizeBytes += entryBytes;
  }
  return batches;
}

function bodyOf(runId: string, metrics: readonly Entry[]): string {
  return JSON.stringify({ run_id: runId, metrics });
}

/** `null` once all of it is there. */
async function logBatch(batch: readonly Entry[], context: Context): Promise<Failure | null> {
  const { options, clock, deadlineMs } = context;
  let missing = batch;
  for (let attempt = 1; ; attempt++) {
    const outcome = await request(context, {
      method: "POST",
      path: "runs/log-batch",
      body: bodyOf(options.runId, missing),
    });
    const effect = effectOf(outcome);
    if (effect === "done") return null;
    if (effect === "refused") {
      return { outcome, purpose: "log metrics", missing, unconfirmed: [] };
    }
    const askedMs = outcome.kind === "answer" ? outcome.retryAfterMs : null;
    const random = (options.random ?? Math.random)();
    const waitMs = askedMs ?? random * RETRY_BASE_MS * 2 ** (attempt - 1);
    const isLast = attempt === ATTEMPTS_MAX || clock.now() + waitMs >= deadlineMs;
    if (!isLast) await wait(waitMs, { clock });
    if (effect === "unknown") {
      const read = await readMissing(missing, context);
      if ("outcome" in read) {
        return { ...read, purpose: "read the run", missing: [], unconfirmed: missing };
      }
      if (read.hidden.length > 0) {
        const { missing: absent, hidden: unconfirmed } = read;
        return { outcome, purpose: "log metrics", missing: absent, unconfirmed };
      }
      missing = read.missing;
      if (missing.length === 0) return null;
    }
    if (isLast) return { outcome, purpose: "log metrics", missing, unconfirmed: [] };
  }
}

/** The connection was never made, so the server saw nothing. */
const NEVER_SENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];

/** What a request did: its work, nothing (for good, or for now), or that can't be known. */
function effectOf(outcome: Outcome): "done" | "refused" | "nothing" | "unknown" {
  switch (outcome.kind) {
    case "answer":
      if (outcome.status < 300) return "done";
      if (outcome.status === 429) return "nothing";
      return outcome.status >= 500 || outcome.status === 408 ? "unknown" : "refused";
    case "no_answer":
      return NEVER_SENT.includes(outcome.code) ? "nothing" : "unknown";
    case "redirect":
      return "refused";
    case "too_large":
      return "unknown";
  }
}

/**
 * Which of the metrics are not in the run. A run shows only the newest value of
 * each metric: where that is newer than ours, ours is hidden behind it.
 */
async function readMissing(
  entries: readonly Entry[],
  context: Context,
): Promise<
  { readonly missing: Entry[]; readonly hidden: Entry[] } | { readonly outcome: Outcome }
> {
  const { clock, deadlineMs, options } = context;
  for (let attempt = 1; ; attempt++) {
    const query = new URLSearchParams({ run_id: options.runId });
    const outcome = await request(context, { method: "GET", path: `runs/get?${query}` });
    const effect = effectOf(outcome);
    if (effect === "done") {
      const newest = newestIn(outcome);
      if (newest === null) return { outcome };
      const placeOf = ({ key, value, timestamp, step }: Entry) => {
        const known = newest.get(key);
        if (!known) return "missing";
        if (known.timestamp === timestamp && known.step === step && known.value === value) {
          return "there";
        }
        const isNewer = known.step > step || (known.step === step && known.timestamp >= timestamp);
        return isNewer ? "hidden" : "missing";
      };
      return {
        missing: entries.filter((entry) => placeOf(entry) === "missing"),
        hidden: entries.filter((entry) => placeOf(entry) === "hidden"),
      };
    }
    const waitMs = RETRY_BASE_MS * 2 ** (attempt - 1);
    if (effect === "refused" || attempt === ATTEMPTS_MAX || clock.now() + waitMs >= deadlineMs) {
      return { outcome };
    }
    await wait(waitMs, { clock });
  }
}

/** `null` when the answer is no run. */
function newestIn(outcome: Outcome): Map<string, Entry> | null {
  const body = outcome.kind === "answer" ? jsonOf(outcome.body) : null;
  const run = fieldOf(body, "run");
  const data = fieldOf(run, "data");
  if (fieldOf(run, "info") === undefined) return null;
  const metrics = fieldOf(data, "metrics") ?? [];
  if (!Array.isArray(metrics)) return null;
  return new Map(
    metrics.map((metric: unknown) => {
      const key = String(fieldOf(metric, "key"));
      const number = (name: string) => Number(fieldOf(metric, name) ?? 0);
      return [
        key,
        { key, value: number("value"), timestamp: number("timestamp"), step: number("step") },
      ];
    }),
  );
}

function request(
  { server, options, clock, deadlineMs }: Context,
  { method, path, body }: Pick<Request, "method" | "body"> & { readonly path: string },
): Promise<Outcome> {
  const url = `${server.url}/api/2.0/mlflow/${path}`;
  return send(
    { method, url, headers: server.headers, ...(body !== undefined && { body }) },
    {
      fetch: options.fetch ?? fetch,
      clock,
      timeoutMs: Math.max(1_000, Math.min(REQUEST_TIMEOUT_MS, deadlineMs - clock.now())),
      answerMaxBytes: ANSWER_MAX_BYTES,
    },
  );
}

function explain(
  outcome: Outcome,
  { purpose, server, options }: { purpose: string; server: Server; options: MlflowLogOptions },
): { readonly code: ErrorCode; readonly message: string; readonly hint: string } {
  const path = purpose === "log metrics" ? "POST runs/log-batch" : "GET runs/get";
  const tried = `cannot ${purpose}: ${path} on MLflow at ${server.url}`;
  switch (outcome.kind) {
    case "no_answer":
      return {
        code: "DATABRICKS_UNREACHABLE",
        message: `${tried} got no answer (${outcome.code})`,
        hint: "Check that the MLflow server listens there, then log what remains.",
      };
    case "redirect":
      return {
        code: "DATABRICKS_FAILED",
        message: `${tried} answered ${outcome.status}, a redirect, which is not followed so that the token stays here`,
        hint: "Give the address of the MLflow server itself.",
      };
    case "too_large":
      return {
        code: "DATABRICKS_FAILED",
        message: `${tried} answered with more than ${ANSWER_MAX_BYTES} bytes`,
        hint: "Check that an MLflow server listens there.",
      };
    case "answer": {
      const said = saidIn(outcome.body, options.token);
      const message = `${tried} answered ${outcome.status}${said === null ? "" : `: ${said}`}`;
      return { message, ...adviceFor(outcome.status) };
    }
  }
}

function adviceFor(status: number): { readonly code: ErrorCode; readonly hint: string } {
  switch (status) {
    case 401:
      return { code: "DATABRICKS_UNAUTHENTICATED", hint: "Check the token." };
    case 403:
      return {
        code: "DATABRICKS_FORBIDDEN",
        hint: "Give the owner of the token edit permission on the experiment of the run.",
      };
    case 404:
      return {
        code: "DATABRICKS_FAILED",
        hint: "Check the address, and that the run is on this server.",
      };
    default:
      return {
        code: "DATABRICKS_FAILED",
        hint:
          status >= 500 || status === 429
            ? "Log what remains later, with the same time and step."
            : "The server refuses the metrics as they are; its message says why.",
      };
  }
}

/** What the server says, without secrets. */
function saidIn(body: Uint8Array, token: string | undefined): string | null {
  const message = fieldOf(jsonOf(body), "message");
  if (typeof message !== "string" || message === "") return null;
  const bare = token === undefined ? message : message.replaceAll(token, "[REDACTED]");
  return scrub(bare.slice(0, 4 * SAID_LENGTH_MAX))
    .replaceAll(/\p{Cc}+/gu, " ")
    .slice(0, SAID_LENGTH_MAX);
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return null;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function recordOf(entries: readonly Entry[]): Record<string, number> {
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

function usage(message: string, hint: string): MonitorError {
  return new MonitorError("USAGE_INVALID", `cannot log metrics to MLflow: ${message}`, { hint });
}
