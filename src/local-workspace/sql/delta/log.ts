/**
 * A table's `_delta_log`: reads what the table holds now, and adds a commit to it.
 * A commit is a file that is created exclusively, so of two writers one wins and
 * the other is told; a reader sees whole commits only.
 *
 * Source: Delta protocol, "Delta Log Entries" and "Action Reconciliation".
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { unsupported } from "../sql-error.ts";
import type { Action, AddFile, CommitInfo, DomainMetadata, Metadata, Protocol } from "./actions.ts";

export type Snapshot = {
  readonly version: number;
  readonly protocol: Protocol;
  readonly metadata: Metadata;
  /** By path, as it stands in the log. */
  readonly files: ReadonlyMap<string, AddFile>;
  /** The last version of each application, `COPY INTO`'s loaded files among them. */
  readonly transactions: ReadonlyMap<string, number>;
  readonly domains: ReadonlyMap<string, DomainMetadata>;
};

export type Commit = { readonly version: number; readonly commitInfo: CommitInfo | undefined };

/** What this workspace reads as it is: without it, rows would be missing or wrong. */
const READER_VERSION_MAX = 1;
const READER_VERSION_WITH_FEATURES = 3;
const READER_FEATURES = ["variantType"];
const WRITER_FEATURES = [
  "appendOnly",
  "invariants",
  "clustering",
  "domainMetadata",
  ...READER_FEATURES,
];
const WRITER_VERSION_MAX_WITHOUT_FEATURES = 2;
const WRITER_VERSION_WITH_FEATURES = 7;

/**
 * What the table holds now, or `null` when there is none. `known` is a snapshot
 * from before: only what came after it is read.
 */
export async function readSnapshot(tableDir: string, known?: Snapshot): Promise<Snapshot | null> {
  let snapshot = known;
  for (;;) {
    const version = (snapshot?.version ?? -1) + 1;
    const actions = await readCommit(tableDir, version);
    if (actions) snapshot = applyActions(snapshot, { version, actions, tableDir });
    else if (snapshot) return snapshot;
    else {
      await refuseWithoutStart(tableDir);
      return null;
    }
  }
}

/** Every commit, newest first, as `DESCRIBE HISTORY` shows it. */
export async function readHistory(tableDir: string): Promise<Commit[]> {
  const commits: Commit[] = [];
  for (let version = 0; ; version++) {
    const actions = await readCommit(tableDir, version);
    if (!actions) return commits.reverse();
    commits.push({ version, commitInfo: actions.find((action) => action.commitInfo)?.commitInfo });
  }
}

/**
 * Adds a commit. False when another writer was faster: nothing was written, and
 * the caller reads what came in between before it tries again.
 */
export async function writeCommit(
  tableDir: string,
  { version, actions }: { readonly version: number; readonly actions: readonly Action[] },
): Promise<boolean> {
  const logDir = join(tableDir, "_delta_log");
  await mkdir(logDir, { recursive: true });
  // A name appears whole or not at all: written aside, then linked, which fails where one stands.
  const aside = join(logDir, `.${randomUUID()}.tmp`);
  const file = await open(aside, "wx");
  try {
    await file.writeFile(`${actions.map((action) => JSON.stringify(action)).join("\n")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(aside, join(logDir, commitName(version)));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(aside);
  }
}

/** @throws SqlError naming what the table needs that is not here. */
export function refuseUnreadable({ protocol }: Snapshot): void {
  const { minReaderVersion: version, readerFeatures = [] } = protocol;
  if (version <= READER_VERSION_MAX) return;
  const missing =
    version < READER_VERSION_WITH_FEATURES
      ? [`reader ${version}`]
      : readerFeatures.filter((feature) => !READER_FEATURES.includes(feature));
  if (missing.length > 0) {
    throw unsupported(`the Delta features that this table needs to be read: ${missing.join(", ")}`);
  }
}

/** @throws SqlError naming what a writer of the table would have to keep. */
export function refuseUnwritable(snapshot: Snapshot): void {
  refuseUnreadable(snapshot);
  const { minWriterVersion: version, writerFeatures = [] } = snapshot.protocol;
  const missing =
    version <= WRITER_VERSION_MAX_WITHOUT_FEATURES
      ? []
      : version < WRITER_VERSION_WITH_FEATURES
        ? [`writer ${version}`]
        : writerFeatures.filter((feature) => !WRITER_FEATURES.includes(feature));
  if (missing.length > 0) {
    throw unsupported(
      `the Delta features that this table needs to be written: ${missing.join(", ")}`,
    );
  }
}

function commitName(version: number): string {
  return `${String(version).padStart(20, "0")}.json`;
}

async function readCommit(tableDir: string, version: number): Promise<Action[] | null> {
  try {
    const text = await readFile(join(tableDir, "_delta_log", commitName(version)), "utf8");
    return text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => JSON.parse(line) as Action);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** A log that another engine has shortened begins with a checkpoint. */
async function refuseWithoutStart(tableDir: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(join(tableDir, "_delta_log"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const first = names.filter((name) => /^\d{20}\.json$/.test(name)).sort()[0];
  if (first !== undefined || names.some((name) => name.includes(".checkpoint."))) {
    throw unsupported(
      `reading Delta checkpoints, and the log in ${tableDir} begins with one${first ? ` (its first commit is ${first})` : ""}`,
    );
  }
}

function applyActions(
  before: Snapshot | undefined,
  commit: {
    readonly version: number;
    readonly actions: readonly Action[];
    readonly tableDir: string;
  },
): Snapshot {
  let { protocol, metadata } = before ?? {};
  const files = new Map(before?.files);
  const transactions = new Map(before?.transactions);
  const domains = new Map(before?.domains);
  for (const action of commit.actions) {
    if (action.protocol) protocol = action.protocol;
    if (action.metaData) metadata = action.metaData;
    if (action.remove) files.delete(action.remove.path);
    if (action.add) files.set(action.add.path, action.add);
    if (action.txn) transactions.set(action.txn.appId, action.txn.version);
    if (action.domainMetadata?.removed) domains.delete(action.domainMetadata.domain);
    else if (action.domainMetadata)
      domains.set(action.domainMetadata.domain, action.domainMetadata);
  }
  if (!protocol || !metadata) {
    throw unsupported(`the log in ${commit.tableDir}: it begins without protocol and metadata`);
  }
  return { version: commit.version, protocol, metadata, files, transactions, domains };
}
