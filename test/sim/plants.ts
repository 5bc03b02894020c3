/**
 * Bugs that are planted on purpose, each by wrapping what is passed to the product: the simulator
 * has to find every one of them, or else it proves little.
 */
import { basename, dirname } from "node:path";
import { crc32 } from "node:zlib";
import type { Fetch } from "../../src/databricks/transport.ts";
import type { Action } from "../../src/history/delta-log.ts";
import type { Disk, Files } from "../../src/history/files.ts";
import type { WriterMachine } from "../../src/history/history-writer.ts";
import { WRITER } from "../../src/history/seal.ts";
import type { FromWorker, ToWorker } from "../../src/store/journal-file.ts";
import { LAKE_PREFIX, type Way } from "./ways.ts";

const throughVolume: readonly Way[] = ["volume"];

type Journal = (message: ToWorker) => FromWorker | null;

export type Plant = {
  /** What it breaks, as the simulator says it. */
  readonly breaks: RegExp;
  /** The seed that found it last: it is tried before all others. */
  readonly foundWith: number;
  /** Where only some ways of exporting have it. */
  readonly ways?: readonly Way[];
  readonly disk?: (disk: Disk) => Disk;
  readonly files?: (files: Files, disk: Disk) => Files;
  /** What DuckDB is asked in place of something else. */
  readonly sql?: (sql: string) => string;
  readonly journal?: (honest: Journal) => Journal;
  readonly fetch?: (fetch: Fetch) => Fetch;
  readonly writer?: Partial<WriterMachine>;
};

const isLost = /acknowledged, and not in the history|the history can't be read/;
const isLostOnTheWay = /not in Databricks/;
const isDoubled = /more than once in/;

const MARKS_FILES = /^exported(\.again)?\.json$/;
const LOG = "_delta_log";
const committed = { kind: "committed", lastSeq: 0, usedBytes: 0 } as const;
let uploads = 0;

export const plants: Readonly<Record<string, Plant>> = {
  "acknowledged before it is committed": {
    breaks: isLost,
    foundWith: 1,
    journal: (honest) => {
      let waiting: ToWorker | null = null;
      return (message) => {
        if (waiting) honest(waiting);
        waiting = null;
        if (message.kind !== "commit") return honest(message);
        waiting = message;
        return committed;
      };
    },
  },
  "a commit of the journal that failed is told as done": {
    breaks: isLost,
    foundWith: 1,
    journal: (honest) => (message) => {
      const answer = honest(message);
      return answer?.kind === "commit_failed" ? committed : answer;
    },
  },
  "the journal is shortened up to its end": {
    breaks: isLost,
    foundWith: 1,
    journal: (honest) => (message) =>
      honest(
        message.kind === "prune"
          ? { ...message, nowMs: Number.MAX_SAFE_INTEGER, upTo: Number.MAX_SAFE_INTEGER }
          : message,
      ),
  },
  "files are not synced": {
    // Nothing is lost of the history: what is torn is found and sealed again, which is told.
    breaks: /more than once in|can't be read|nothing that happened is told by: Files of/,
    foundWith: 1,
    disk: (disk) => syncingOnly(disk, { directories: true }),
  },
  "directories are not synced after a rename": {
    // What is lost is mostly found and sealed again, under other names.
    breaks: /acknowledged, and not in|can't be read|more than once in/,
    foundWith: 10,
    disk: (disk) => syncingOnly(disk, { directories: false }),
  },
  "a torn commit of the log is taken for a whole one": {
    breaks: isLost,
    foundWith: 6,
    files: (files, disk) => ({
      ...files,
      create(path, bytes) {
        if (files.list(dirname(path)).includes(basename(path))) return false;
        const handle = disk.open(path, "w");
        for (let at = 0; at < bytes.length; ) at += disk.write(handle, bytes, at);
        disk.sync(handle);
        disk.close(handle);
        const directory = disk.open(dirname(path), "r");
        disk.sync(directory);
        disk.close(directory);
        return true;
      },
      read: (path) => linesOf(path, files.read(path), readableOf),
    }),
  },
  "the watermark of the history is lost": {
    breaks: isDoubled,
    foundWith: 2,
    files: (files) => ({
      ...files,
      read: (path) =>
        changedActions(path, files.read(path), (actions) => actions.filter(({ txn }) => !txn)),
    }),
  },
  "the watermark of the history is an entry ahead": {
    breaks: isLost,
    foundWith: 1,
    files: committing((actions) =>
      actions.map((action) =>
        action.txn?.appId === WRITER
          ? { txn: { ...action.txn, version: Number(action.txn.version) + 1 } }
          : action,
      ),
    ),
  },
  "rows are told apart by a number that is counted up": {
    breaks: isLost,
    foundWith: 1,
    sql: (sql) =>
      sql.replace(
        /^COPY \((.*)\) TO (?='\S+\/rows-)/s,
        (_, select) =>
          `COPY (SELECT * REPLACE (CAST(row_number() OVER () AS VARCHAR) AS event_id) FROM (${select})) TO `,
      ),
  },
  "what is told again is sealed again": {
    breaks: isDoubled,
    foundWith: 4,
    sql: (sql) => sql.replace(/ ANTI JOIN .* USING \(event_id\)/s, ""),
  },
  "rows of a damaged file are not expected again": {
    breaks: isLost,
    foundWith: 8,
    files: committing((actions) => actions.filter(({ txn }) => !txn?.appId.includes("/gap/"))),
  },
  "bytes of a file of rows are never looked at again": {
    breaks: /acknowledged, and not in|can't be read/,
    foundWith: 4,
    files: (files) => ({ ...files, checksum: () => 0 }),
  },
  "a checkpoint leaves out a file": {
    breaks: isLost,
    foundWith: 1,
    sql: (sql) => sql.replace(/, \('\{"add":(?:[^']|'')*'\)\) AS log\(line\)/, ") AS log(line)"),
  },
  "merging leaves out a file": {
    breaks: isLost,
    foundWith: 1,
    sql: (sql) =>
      sql.replace(/^(COPY \(SELECT \* FROM read_parquet\(\[)'[^']*', /, (_, begin) => begin),
  },
  "what was merged stays beside what it became": {
    breaks: isDoubled,
    foundWith: 1,
    files: committing((actions) => actions.filter(({ remove }) => !remove)),
  },
  "retention removes what is not exported": {
    breaks: isLostOnTheWay,
    foundWith: 2,
    writer: { retention: { maxAgeMs: 60_000, maxBytes: Number.POSITIVE_INFINITY } },
    files: without(MARKS_FILES),
  },
  "a table whose last commits and files are gone is taken for whole": {
    breaks: isLost,
    foundWith: 27,
    files: without(/^sealed(\.again)?\.json$/),
  },
  "how far was exported is written before the rows are loaded": {
    breaks: isLostOnTheWay,
    foundWith: 2,
    ways: throughVolume,
    fetch: (fetch) => (url, init) =>
      isLoad(init) ? fetch(url, init).catch(() => answered(loadedNothing)) : fetch(url, init),
  },
  "an answer of 429 or 503 is taken for success": {
    breaks: isLostOnTheWay,
    foundWith: 48,
    ways: throughVolume,
    fetch: (fetch) => async (url, init) => {
      const response = await fetch(url, init);
      return [429, 503].includes(response.status) && isLoad(init)
        ? answered(loadedNothing)
        : response;
    },
  },
  "what failed is sent again under a new path": {
    breaks: isDoubled,
    foundWith: 11,
    ways: throughVolume,
    fetch: (fetch) => {
      const names = new Map<string, string>();
      return (url, init) => {
        const name = url.slice(url.lastIndexOf("/") + 1).replace(/\?.*/, "");
        if (init.method === "PUT" && name.endsWith(".parquet")) {
          const another = name.replace(".parquet", `${(uploads++).toString(16)}.parquet`);
          names.set(name, another);
          return fetch(url.replace(name, another), init);
        }
        if (!isLoad(init)) return fetch(url, init);
        let body = String(init.body);
        for (const [known, another] of names) body = body.replaceAll(known, another);
        return fetch(url, { ...init, body });
      };
    },
  },
  "a load whose answer was lost is done again with force": {
    breaks: isDoubled,
    foundWith: 14,
    ways: throughVolume,
    fetch: (fetch) => async (url, init) => {
      try {
        return await fetch(url, init);
      } catch (error) {
        if (!isLoad(init)) throw error;
        const forced = String(init.body).replace(
          /(FILES = \([^)]*\))/,
          "$1\\nCOPY_OPTIONS ('force' = 'true')",
        );
        return fetch(url, { ...init, body: forced });
      }
    },
  },
  "rows are added without a look at those that are there": {
    breaks: isDoubled,
    foundWith: 3,
    ways: ["merge"],
    fetch: (fetch) => (url, init) =>
      fetch(url, {
        ...init,
        ...(typeof init.body === "string" && {
          body: init.body.replace("ON t.event_id = s.event_id AND", "ON"),
        }),
      }),
  },
  "rows whose adding was cut off are added again at once": {
    breaks: isDoubled,
    foundWith: 12,
    ways: ["merge"],
    files: (files) => ({
      ...files,
      replace: (path, bytes) =>
        files.replace(path, MARKS_FILES.test(basename(path)) ? withoutMerging(bytes) : bytes),
    }),
  },
  "what was cut off on its way to the directory is written again as new": {
    breaks: isDoubled,
    foundWith: 8,
    ways: ["directory"],
    files(files) {
      const names = new Map<string, string>();
      return {
        ...files,
        create(path, bytes) {
          if (!path.includes(`/${LAKE_PREFIX}_`)) return files.create(path, bytes);
          if (path.endsWith(".json")) return files.create(path, asIfNew(bytes, names));
          const another = path.replace(".parquet", `-${(uploads++).toString(16)}.parquet`);
          names.set(basename(path), basename(another));
          return files.create(another, bytes);
        },
      };
    },
  },
};

/** Marks that don't say that rows are being added. */
function withoutMerging(bytes: Uint8Array): Uint8Array {
  const isTold = (name: string) => name !== "isMerging" && name !== "crc32";
  const kept = JSON.parse(new TextDecoder().decode(bytes), (name, value) =>
    isTold(name) ? value : undefined,
  );
  return Buffer.from(JSON.stringify({ ...kept, crc32: crc32(JSON.stringify(kept)) }));
}

/** A commit of files under other names, which does not say how far its writer has come. */
function asIfNew(bytes: Uint8Array, names: ReadonlyMap<string, string>): Uint8Array {
  // Nor does it have a checksum: it would be another.
  let text = new TextDecoder().decode(bytes).replace(/,"crc32":\d+/, "");
  for (const [known, another] of names) text = text.replaceAll(known, another);
  const actions = text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith('{"txn"'))
    .map((line) => JSON.parse(line));
  const info = { ...actions[0].commitInfo, actions: actions.length - 1 };
  const lines = [{ commitInfo: info }, ...actions.slice(1)].map((action) => JSON.stringify(action));
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

/** Files of these names are never found. */
function without(names: RegExp) {
  return (files: Files): Files => ({
    ...files,
    list: (directory) => files.list(directory).filter((name) => !names.test(name)),
  });
}

/** Of a commit of a log those lines that are taken, in place of all; all else as it is. */
function linesOf(
  path: string,
  bytes: Uint8Array,
  taken: (lines: readonly string[]) => readonly string[],
): Uint8Array {
  if (!path.includes(LOG) || !path.endsWith(".json")) return bytes;
  const lines = new TextDecoder().decode(bytes).split("\n");
  return new TextEncoder().encode(taken(lines).join("\n"));
}

/** What is committed to a log has other actions. */
function committing(change: (actions: readonly Action[]) => readonly Action[]) {
  return (files: Files): Files => ({
    ...files,
    create: (path, bytes) => files.create(path, changedActions(path, bytes, change)),
  });
}

/** Of a commit of a log, other actions; all else as it is. */
function changedActions(
  path: string,
  bytes: Uint8Array,
  change: (actions: readonly Action[]) => readonly Action[],
): Uint8Array {
  return linesOf(path, bytes, (lines) => {
    const written = lines.filter((line) => line !== "");
    if (written.length === 0 || !written.every(isJson)) return lines;
    const [info, ...actions] = written.map((line) => JSON.parse(line));
    const changed = change(actions);
    const { crc32: _, ...others } = info.commitInfo;
    const told = { commitInfo: { ...others, actions: changed.length } };
    return [told, ...changed].map((line) => JSON.stringify(line));
  });
}

/** What can be read of them. How many there have to be is told by none. */
function readableOf(lines: readonly string[]): readonly string[] {
  const actions = lines.filter((line) => isJson(line) && !line.startsWith('{"commitInfo"'));
  return ['{"commitInfo":{}}', ...actions];
}

/** Of directories and files, only the one kind is synced; a name without an ending is a directory's. */
function syncingOnly(disk: Disk, wanted: { readonly directories: boolean }): Disk {
  const directories = new Set<number>();
  return {
    ...disk,
    open(path, mode) {
      const handle = disk.open(path, mode);
      if (mode === "r" && !/\.\w+$/.test(path)) directories.add(handle);
      else directories.delete(handle);
      return handle;
    },
    sync: (handle) =>
      directories.has(handle) === wanted.directories ? disk.sync(handle) : undefined,
  };
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

function isLoad({ body }: RequestInit): boolean {
  return typeof body === "string" && body.includes("COPY INTO");
}

const loadedNothing = {
  statement_id: "none",
  status: { state: "SUCCEEDED" },
  manifest: { schema: { columns: [{ name: "num_inserted_rows" }] } },
  result: { data_array: [["0"]] },
};

function answered(json: unknown): Response {
  return Response.json(json);
}
