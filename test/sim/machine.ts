/**
 * The machine that a monitor runs on: its disk, its clock, and the programs that are started on
 * it again and again – the monitor with its journal and its history, and exports by cron. The
 * programs are the product's own; what they touch is the world's.
 */
import { EventEmitter } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createDatabricksClient } from "../../src/databricks/client.ts";
import { Secret } from "../../src/databricks/secret.ts";
import { exportHistory } from "../../src/export/delta/export-history.ts";
import { ExportFailedError, failureOf } from "../../src/export/schedule/export-failure.ts";
import { readExportRun, writeExportRun } from "../../src/export/schedule/export-runs.ts";
import {
  type ScheduledExport,
  startScheduledExport,
} from "../../src/export/schedule/scheduled-export.ts";
import { defaultTablePlace } from "../../src/history/databricks-tables.ts";
import type { DuckDBConnection, DuckDb } from "../../src/history/duckdb.ts";
import { diskFiles, type Files, filesOn } from "../../src/history/files.ts";
import { History, type StartWriter } from "../../src/history/history.ts";
import { createHistoryWriter } from "../../src/history/history-writer.ts";
import { lastSealedPlace } from "../../src/history/sealed-marks.ts";
import { Monitor } from "../../src/monitor/monitor.ts";
import { MonitorError } from "../../src/monitor-error.ts";
import { builtInPriceBook } from "../../src/signals/prices.ts";
import { parseSchedule } from "../../src/signals/schedule.ts";
import { entryOf } from "../../src/state/journal-entry.ts";
import type { StartJournalWriter } from "../../src/store/journal.ts";
import { type FromWorker, openJournalFile, type ToWorker } from "../../src/store/journal-file.ts";
import { createSimDisk, type SimDisk } from "./disk.ts";
import {
  copyJournal,
  damageEntry,
  damageFile,
  type OlderJournal,
  replaceJournal,
} from "./journal-damage.ts";
import { eventsOf, WORKSPACE_ID } from "./load.ts";
import { type Losses, newLosses } from "./losses.ts";
import { makeMemoryDirectory, removeMemoryDirectory } from "./memory-directory.ts";
import type { SimNetwork } from "./network.ts";
import type { Plant } from "./plants.ts";
import { alwaysStrikes, damageStrikes, type Strike } from "./strikes.ts";
import { LAKE_PREFIX, type Way } from "./ways.ts";
import { Process, type World } from "./world.ts";

export const ORIGIN = "https://sim.cloud.databricks.com";
const MINUTE_MS = 60_000;
/** As long as the journal keeps what is sealed: in some seeds so short that it is gone in the hour. */
const journalRetentionsMs = [10 * MINUTE_MS, 24 * 60 * MINUTE_MS] as const;
/** By which the wall clock begins. */
const EPOCH_MS = Date.UTC(2026, 0, 1);
/** So small that merging and checkpoints happen within an hour. */
const UPKEEP = { mergeFiles: 4, checkpointCommits: 8, intervalMs: 5 * 60_000 };

/** An older one is one that was put back; gone is all of it. */
export type JournalDamage = "an entry" | "its beginning" | "a page" | "gone" | "older";

export type Machine = {
  readonly disk: SimDisk;
  readonly dataDirectory: string;
  readonly historyDirectory: string;
  /** The disk that Spark mounts, and where on it the tables are. */
  readonly lake: SimDisk;
  readonly lakeDirectory: string;
  readonly ways: readonly Way[];
  /** How far its clock is wrong. */
  skewMs: number;
  wallClockMs(): number;
  /** The monitor that takes telemetry now. */
  monitorNow(): Monitor | null;
  readonly monitorProcess: Process | null;
  readonly historyProcess: Process | null;
  readonly exporters: readonly Process[];
  /** Whether what stopped is started again. */
  isSupervised: boolean;
  startMonitor(): void;
  /** Everything is written, and it ends. */
  stopMonitor(): Promise<void>;
  /** No process is going to die of what was armed before. */
  disarm(): void;
  /** As somebody runs it by hand. */
  startExport(options?: RunOptions): Promise<ExportOutcome>;
  killAll(why: string): void;
  /** What was told to people. */
  readonly notices: string[];
  readonly losses: Losses;
  /** Damages the journal while no monitor has it open. */
  damageJournal(what: JournalDamage): void;
  /** What happened to it, besides what struck a single process. */
  readonly struckBy: Strike[];
  /** What is no failure that people can meet, and so a bug. */
  readonly bugs: string[];
  close(): void;
};

export type ExportOutcome =
  | { readonly kind: "done"; readonly rows: number; readonly warnings: readonly string[] }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "killed" };

export type RunOptions = {
  /** One of the machine's when it is left out. */
  readonly way?: Way;
  readonly recreate?: boolean;
};

export type Parts = {
  readonly world: World;
  readonly ways: readonly Way[];
  /** How often a monitor exports, such as `2 minutes`. */
  readonly exportEvery: string;
  readonly duckDb: DuckDb;
  /** One connection a process. */
  readonly connectDuckDb: () => Promise<DuckDBConnection>;
  readonly network: SimNetwork;
  /** A bug that is planted, if one is. */
  readonly plant: Partial<Plant>;
};

/** What is told and is no failure, or one that is checked where it happens. */
const expectedNotices = [
  /^The export to \S+ (stands still: .*Nothing is lost|works again)/s,
  /^The history is written again/,
  /was made anew, so what is still there is loaded again/,
  /^Rows of \S+ were gone from the history before they were exported/,
];

type Running = {
  readonly process: Process;
  monitor: Monitor | null;
  exports: readonly ScheduledExport[];
};

export function createMachine(parts: Parts): Machine {
  const { world, ways, exportEvery, duckDb, connectDuckDb, network, plant } = parts;
  const { random } = world;
  const dataDirectory = makeMemoryDirectory();
  const historyDirectory = join(dataDirectory, "history");
  const lakeDirectory = join(dataDirectory, "lake");
  mkdirSync(historyDirectory);
  mkdirSync(lakeDirectory);
  const disk = createSimDisk(historyDirectory, world);
  const lake = createSimDisk(lakeDirectory, world);
  const processes = new Set<Process>();
  /** The monitors and their histories, dead ones too: what one met the next may tell. */
  const programs: Process[] = [];
  const journalRetentionMs = random.pick(journalRetentionsMs);
  const olderJournals: OlderJournal[] = [];
  let runs = 0;
  let ids = 0;
  let current: Running | null = null;
  let writer: Process | null = null;
  /** When the history was last told to seal what came before. */
  let sealedAtMs = 0;

  const machine: Machine = {
    disk,
    dataDirectory,
    historyDirectory,
    lake,
    lakeDirectory,
    ways,
    skewMs: 0,
    wallClockMs: () => EPOCH_MS + world.nowMs() + machine.skewMs,
    monitorNow: () => (current?.process.isAlive ? current.monitor : null),
    get monitorProcess() {
      return current?.process ?? null;
    },
    get historyProcess() {
      return writer;
    },
    get exporters() {
      return [...processes].filter(({ name }) => name.startsWith("export"));
    },
    isSupervised: true,
    startMonitor,
    async stopMonitor() {
      const { process, monitor, exports } = current ?? {};
      if (!monitor) world.note("world", "no monitor is there to be stopped");
      await Promise.all(exports?.map((one) => one.close()) ?? []);
      await monitor?.close();
      process?.end();
    },
    disarm() {
      for (const process of processes) process.dieBefore(Number.POSITIVE_INFINITY);
    },
    startExport: (options = {}) => runExport(options),
    killAll(why) {
      for (const process of [...processes]) process.kill(why);
    },
    notices: [],
    losses: newLosses(),
    damageJournal,
    struckBy: [...alwaysStrikes],
    bugs: [],
    close: () => removeMemoryDirectory(dataDirectory),
  };

  function spawn(name: string): Process {
    const process = new Process(`${name} ${++runs}`, world, () => EPOCH_MS + machine.skewMs);
    processes.add(process);
    if (!name.startsWith("export")) programs.push(process);
    process.onDeath(() => processes.delete(process));
    return process;
  }

  function filesFor(process: Process, on = disk): Files {
    const real = on.of(process);
    const planted = plant.disk?.(real) ?? real;
    const files = filesOn(planted);
    return plant.files?.(files, planted) ?? files;
  }

  // ─── The monitor ──────────────────────────────────────────────────────────

  function startMonitor(): void {
    const process = spawn("monitor");
    const run: Running = { process, monitor: null, exports: [] };
    current = run;
    process.onDeath(() => {
      if (machine.isSupervised) world.after(random.between(500, 20_000), startMonitor);
    });
    void begin();

    async function begin(): Promise<void> {
      try {
        run.monitor = await Monitor.start({
          dataDirectory,
          journal: {
            readUpTo: lastSealedPlace(historyDirectory, filesFor(process)),
            startWriter: journalWriterFor(process),
          },
          startHistory: (journal) =>
            new History({
              directory: historyDirectory,
              entriesAfter: (seq) => journal.entriesAfter(seq),
              clock: process.clock,
              workspaceId: WORKSPACE_ID,
              priceBook: builtInPriceBook,
              startWriter: historyWriterFor(process),
              onNotice: notice,
            }),
          clock: {
            ...process.clock,
            // The journal is shortened within the hour, too.
            every: (intervalMs, run) =>
              process.clock.every(Math.min(intervalMs, UPKEEP.intervalMs), run),
          },
          random: random.next,
          rules: [],
          channel: null,
          pageUrl: () => null,
          formatTime: String,
          onNotice: notice,
        });
        run.exports = ways.map((way) => exportOnSchedule(way, process));
        world.note(process.name, "takes telemetry");
      } catch (error) {
        if (!process.isAlive) return;
        tellFailure(process, error);
        process.kill("ended: it could not start");
      }
    }
  }

  function damageJournal(what: JournalDamage): void {
    current?.process.kill("killed by what damages its journal");
    machine.struckBy.push(...damageStrikes);
    const { excused, unsealed } = machine.losses;
    if (what === "an entry") {
      const body = damageEntry(dataDirectory, random);
      const entry = body === null ? null : entryOf(body);
      world.note("disk", `damaged: an entry of the journal, ${entry?.kind ?? "none"}`);
      if (entry?.kind === "spans") {
        const keys = entry.spans.map(({ traceId, endpoint }) => `${traceId} ${endpoint}`);
        const close = { kind: "close", traceIds: [...new Set(keys)] } as const;
        for (const event of eventsOf([entry, close])) excused.add(event);
      } else if (entry) {
        for (const event of eventsOf([entry])) excused.add(event);
      }
      return;
    }
    if (what === "gone" || what === "older") {
      const sealed = lastSealedPlace(historyDirectory, diskFiles);
      const older = olderJournals.filter(({ lastPlace }) => lastPlace < sealed);
      // Of a machine that has sealed nothing, nothing says that there was any.
      if (what === "gone" ? sealed === 0 : older.length === 0) return;
      replaceJournal(dataDirectory, what === "gone" ? null : random.pick(older));
    } else {
      damageFile(dataDirectory, what, random);
    }
    world.note("disk", `damaged: the journal, ${what}`);
    unsealed.push({ fromMs: sealedAtMs - MINUTE_MS, upToMs: world.nowMs() });
  }

  function notice(text: string): void {
    machine.notices.push(text);
    world.note("notice", text.split("\n")[0] ?? "");
    const [, message = "", hint = ""] = /^(cannot .*)\n {2}Hint: (.*)$/.exec(text) ?? [];
    const known = [...programs.flatMap(({ struckBy }) => struckBy), ...machine.struckBy];
    if (message !== "") checkTold({ message, hint }, known);
    else if (/damaged| are lost|is lost\.$/.test(text)) {
      const isDamaged = machine.struckBy.some((strike) => damageStrikes.includes(strike));
      if (!isDamaged) machine.bugs.push(`nothing that happened is told by: ${text}`);
    } else if (!expectedNotices.some((pattern) => pattern.test(text))) {
      machine.bugs.push(`told, and not expected: ${text}`);
    }
    if (text.includes("this is a bug of it")) machine.bugs.push(text);
  }

  /** Whoever reads it learns what happened, and what to do. */
  function checkTold(
    { message, hint }: { readonly message: string; readonly hint: string },
    strikes: readonly Strike[],
  ): void {
    const meant = strikes.filter((strike) => strike.message.test(message));
    if (meant.length === 0) machine.bugs.push(`nothing that happened is told by: ${message}`);
    else if (!meant.some((strike) => strike.hint.test(hint))) {
      machine.bugs.push(`no help for "${message}": ${hint}`);
    }
  }

  function tellFailure(process: Process, error: unknown): MonitorError | null {
    if (error instanceof MonitorError) {
      world.note(process.name, `${error.code}: ${error.message}`);
      checkTold(error, [...process.struckBy, ...machine.struckBy]);
      return error;
    }
    const text = error instanceof Error ? error.message : String(error);
    world.note(process.name, text);
    machine.bugs.push(`${process.name}: ${error instanceof Error ? error.stack : text}`);
    return null;
  }

  /** The journal's thread: SQLite commits or it does not, and what it committed stays. */
  function journalWriterFor(process: Process): StartJournalWriter {
    return (settings) => {
      const { file, opened } = openJournalFile({
        ...settings,
        retentionMs: journalRetentionMs,
        nowMs: process.clock.now,
      });
      const port = new EventEmitter();
      let isOpen = file !== null;
      const close = () => {
        if (!isOpen) return;
        isOpen = false;
        file?.handle({ kind: "close" });
        const closed = copyJournal(dataDirectory);
        if (closed) olderJournals.push(closed);
      };
      process.onDeath(close);
      const tell = (message: unknown) =>
        process.clock.after(random.between(0, 2), () => port.emit("message", message));
      tell(opened);
      const honest = (message: ToWorker): FromWorker | null =>
        message.kind === "commit" && !hasRoom(process)
          ? { kind: "commit_failed", problem: "database or disk is full" }
          : (file?.handle(message) ?? null);
      const handle = plant.journal?.(honest) ?? honest;
      return Object.assign(port, {
        postMessage(message: ToWorker) {
          process.clock.after(random.between(0, 2), () => {
            process.step(`the journal takes ${message.kind}`);
            if (message.kind === "close") {
              close();
              port.emit("exit", 0);
              return;
            }
            const answer = handle(message);
            process.step(`the journal tells ${message.kind}`);
            if (answer) tell(answer);
          });
        },
      });
    };
  }

  function hasRoom(process: Process): boolean {
    try {
      disk.take("the journal", process);
      return true;
    } catch {
      return false;
    }
  }

  function historyWriterFor(parent: Process): StartWriter {
    return (onEnd) => {
      const process = spawn("history");
      writer = process;
      let reject: (error: Error) => void = () => {};
      parent.onDeath(() => process.end());
      process.onDeath(() => {
        parent.clock.after(1, () => {
          reject(new Error("its process ended (SIGKILL)"));
          onEnd();
        });
      });
      const write = createHistoryWriter({
        files: filesFor(process),
        openDuckDb: async () => ({ duckDb, connection: await duckDbFor(process) }),
        nowMs: process.clock.now,
        newId: () => `table-of-the-history-${ids++}`,
        upkeep: UPKEEP,
        ...plant.writer,
      });
      return {
        processId: null,
        ask: (order) =>
          new Promise((resolve, rejectThis) => {
            reject = rejectThis;
            process.clock.after(1, async () => {
              const askedMs = world.nowMs();
              const answer = await write(order);
              if (answer.kind === "sealed") sealedAtMs = askedMs;
              if (process.isAlive) parent.clock.after(1, () => resolve(answer));
            });
          }),
        end: () =>
          new Promise((resolve) => {
            process.end();
            parent.clock.after(2, () => resolve());
          }),
      };
    };
  }

  // ─── DuckDB ───────────────────────────────────────────────────────────────

  /** DuckDB as it is; but a process may die during each call, and a full disk takes no file. */
  async function duckDbFor(process: Process): Promise<DuckDBConnection> {
    const connection = await world.real(connectDuckDb());
    process.onDeath(() => connection.closeSync());
    const tracked =
      (call: (sql: string) => Promise<unknown>) =>
      (sql: string): Promise<unknown> =>
        process.later(`DuckDB: ${sql.slice(0, 40)}`, () => {
          const into = /^COPY .* TO '([^']+)'/s.exec(sql)?.[1];
          const on = into?.startsWith(lakeDirectory) ? lake : disk;
          if (into !== undefined) on.take("DuckDB writes a file", process);
          return world.real(call(sql));
        });
    const asked = plant.sql ?? ((sql: string) => sql);
    return new Proxy(connection, {
      get(target, name) {
        if (name === "run") return tracked((sql) => target.run(asked(sql)));
        if (name === "runAndReadAll") return tracked((sql) => target.runAndReadAll(asked(sql)));
        if (name === "stream") {
          return async (sql: string) => {
            const rows = await world.real(target.runAndReadAll(sql));
            return {
              async *yieldRowsJson() {
                yield rows.getRowsJson();
              },
            };
          };
        }
        if (name === "createAppender") {
          return (table: string) => world.real(target.createAppender(table));
        }
        if (name === "closeSync") return () => {};
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  // ─── Exports ──────────────────────────────────────────────────────────────

  function exportOnSchedule(way: Way, monitor: Process): ScheduledExport {
    const schedule = parseSchedule(exportEvery, "UTC");
    if (!schedule) throw new Error(`no schedule: ${exportEvery}`);
    const at = { directory: historyDirectory, files: filesFor(monitor) };
    return startScheduledExport({
      target: way,
      schedule,
      clock: monitor.clock,
      random: random.next,
      async run(signal) {
        const outcome = await runExport({ way, lockWaitMs: 0 }, { monitor, signal });
        if (outcome.kind === "done") return outcome;
        throw outcome.kind === "failed"
          ? new ExportFailedError(failureOf(outcome.error))
          : new MonitorError("HISTORY_FAILED", "the process that exports ended (SIGKILL)", {
              hint: "Nothing is lost: the next run goes on where it was.",
            });
      },
      lastRun: readExportRun(at, way),
      keepRun: (run) => writeExportRun(at, way, run),
      onNotice: notice,
    });
  }

  async function runExport(
    { way = random.pick(ways), ...options }: RunOptions & { readonly lockWaitMs?: number },
    parent?: { readonly monitor: Process; readonly signal: AbortSignal },
  ): Promise<ExportOutcome> {
    const process = spawn("export");
    parent?.monitor.onDeath(() => process.end());
    parent?.signal.addEventListener("abort", () => process.kill("is cut off"));
    const client = createDatabricksClient({
      credentials: {
        host: ORIGIN,
        source: "the simulator",
        signIn: {
          kind: "client-credentials",
          clientId: "exporter",
          clientSecret: new Secret("a secret of nobody"),
        },
      },
      fetch: plant.fetch?.(network.fetchFor(process)) ?? network.fetchFor(process),
      clock: process.clock,
      random: random.next,
    });
    const run = async (): Promise<ExportOutcome> => {
      try {
        const { rows, warnings } = await exportHistory(
          historyDirectory,
          way === "directory"
            ? { directory: lakeDirectory, prefix: LAKE_PREFIX }
            : { client, place: defaultTablePlace, warehouseId: "w", way },
          {
            files: filesFor(process),
            sharedFiles: filesFor(process, lake),
            clock: process.clock,
            openDuckDb: () => duckDbFor(process),
            ...options,
          },
        );
        return { kind: "done", rows, warnings };
      } catch (error) {
        if (!process.isAlive) return { kind: "killed" };
        tellFailure(process, error);
        return { kind: "failed", error };
      }
    };
    return new Promise((resolve) => {
      process.onDeath(() => resolve({ kind: "killed" }));
      void run().then((outcome) => {
        resolve(outcome);
        process.end();
      });
    });
  }

  return machine;
}
