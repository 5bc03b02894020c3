/**
 * A backup of a monitor that runs and is sent to, restored elsewhere: a monitor there has the same
 * figures, and the history answers the same. What was damaged, cut off or of a newer version is
 * refused, and nothing is written.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expectedFigures, scrapedValue, shownFigures } from "../kill/figures.ts";
import { killMonitorsLeft, startMonitorProcess } from "../kill/monitor-process.ts";
import { readRecordings } from "../kill/recordings.ts";

const bin = fileURLToPath(new URL("../../bin/dspy-databricks.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "backup-"));
const original = join(directory, "original");
const restored = join(directory, "restored");
const file = join(directory, "monitor.tar");
const WEBHOOK = "https://hooks.slack.com/services/T0/B0/canary0123456789";

after(() => {
  killMonitorsLeft();
  rmSync(directory, { recursive: true, force: true });
});

function run(...args: string[]) {
  return ended(process.execPath, [bin, ...args]);
}

/** No file that is written may be larger: what a full disk is like, and needs no disk. */
function runWithin(blocks: number, ...args: string[]) {
  const limited = `ulimit -f ${blocks}; exec "$@"`;
  return ended("sh", ["-c", limited, "sh", process.execPath, bin, ...args]);
}

async function ended(command: string, args: readonly string[]) {
  const child = spawn(command, args, {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [exit, stdout, stderr] = await Promise.all([
    closed,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { exit, stdout, stderr };
}

async function done(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await run(...args);
  assert.equal(exit, 0, stderr);
  return stdout;
}

async function sendTo(url: string, part: typeof copies): Promise<void> {
  for (const { headers, body } of part.flatMap(({ batches }) => batches)) {
    const { status } = await fetch(`${url}/v1/traces`, { method: "POST", headers, body });
    assert.equal(status, 200);
  }
  await untilClosed(url);
}

async function untilClosed(url: string): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  while ((await scrapedValue(url, "dspy_open_traces")) > 0) {
    assert.ok(Date.now() < deadlineMs, "traces stay open");
    await pause(50);
  }
}

/** A run that ends cleanly seals everything. */
const runShortly = (dataDirectory: string) =>
  done(...["monitor", "--no-workspace", "--port", "0", "--data-dir", dataDirectory, "--for", "1s"]);

const asked = (dataDirectory: string) =>
  done(
    "query",
    "SELECT endpoint_name, count(*), sum(latency_ms), min(event_id), max(event_id) FROM requests GROUP BY ALL ORDER BY ALL",
    ...["--data-dir", dataDirectory, "--output", "json"],
  );

const copies = readRecordings().map((recording) => recording.copy("support-agent"));
let figures: Awaited<ReturnType<typeof shownFigures>>;

before(async () => {
  mkdirSync(join(original, "alerts"), { recursive: true });
  const settings = {
    version: 1,
    endpointName: "support-agent",
    thresholds: { latencyP99ThresholdMs: 1000 },
    webhook: { kind: "kept" },
  };
  writeFileSync(join(original, "alerts", "support-agent.json"), JSON.stringify(settings));
  writeFileSync(join(original, "alerts", "support-agent.webhook"), `${WEBHOOK}\n`);

  // One half is sealed, the other one stands in the journal only.
  const half = Math.floor(copies.length / 2);
  const first = startMonitorProcess({ dataDirectory: original });
  await sendTo(await first.ready, copies.slice(0, half));
  await first.kill();
  await runShortly(original);
  mkdirSync(join(original, "history", "damaged", "requests"), { recursive: true });
  writeFileSync(join(original, "history", "damaged", "requests", "rows.parquet"), "cut off");

  const second = startMonitorProcess({ dataDirectory: original });
  const url = await second.ready;
  await sendTo(url, copies.slice(half));
  figures = await shownFigures(url);
  const result = JSON.parse(
    await done("backup", "--out", file, "--data-dir", original, "--output", "json"),
  );
  assert.equal(result.monitor, "running");
  assert.equal(result.webhooksLeftOut, 1);
  assert.ok(result.historyFiles > 5 && result.journalEntries > 50, JSON.stringify(result));
  await second.kill();
});

test("the figures are those of the recordings", () =>
  assert.deepEqual(figures, expectedFigures(copies)));

test("only this user can read it, no webhook is in it, and tar lists it", async () => {
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!readFileSync(file).includes("canary0123456789"));
  const tar = spawn("tar", ["-tf", file], { stdio: ["ignore", "pipe", "inherit"] });
  const names = (await text(tar.stdout)).trim().split("\n");
  assert.ok(!names.some((name) => name.startsWith("history/damaged")));
  assert.equal(names.at(-1), "backup.json");
  for (const name of ["journal/000001", "alerts/support-agent.json", "history/summaries.sqlite"]) {
    assert.ok(names.includes(name), `${name} of ${names}`);
  }
});

test("a monitor on what was restored has the same figures, and the history answers the same", async () => {
  const told = await done("restore", file, "--data-dir", restored);
  assert.match(told, /set them again for: support-agent/);
  const monitor = startMonitorProcess({ dataDirectory: restored });
  assert.deepEqual(await shownFigures(await monitor.ready), figures);
  await monitor.kill();
  for (const dataDirectory of [original, restored]) await runShortly(dataDirectory);
  const answer = await asked(original);
  assert.ok(JSON.parse(answer).length > 0);
  assert.equal(await asked(restored), answer);
});

test("a backup of a monitor that does not run is the same, with webhooks where asked", async () => {
  const other = join(directory, "stopped.tar");
  const result = JSON.parse(
    await done(
      "backup",
      "--out",
      other,
      "--data-dir",
      original,
      "--with-secrets",
      "--output",
      "json",
    ),
  );
  assert.deepEqual([result.monitor, result.webhooksLeftOut], ["stopped", 0]);
  const place = join(directory, "with-secrets");
  await done("restore", other, "--data-dir", place);
  assert.equal(
    readFileSync(join(place, "alerts", "support-agent.webhook"), "utf8"),
    `${WEBHOOK}\n`,
  );
  assert.equal(statSync(join(place, "alerts", "support-agent.webhook")).mode & 0o777, 0o600);
  assert.equal(await asked(place), await asked(original));
});

test("what is there is only put aside when asked, and nothing while a monitor uses it", async () => {
  const refused = await run("restore", file, "--data-dir", restored);
  assert.equal(refused.exit, 2);
  assert.match(refused.stderr, /USAGE_INVALID: .*restored is not empty/);
  const monitor = startMonitorProcess({ dataDirectory: restored });
  await monitor.ready;
  const locked = await run("restore", file, "--data-dir", restored, "--replace");
  assert.match(locked.stderr, /DATA_DIR_LOCKED/);
  await monitor.kill();
  const result = JSON.parse(
    await done("restore", file, "--data-dir", restored, "--replace", "--output", "json"),
  );
  assert.ok(existsSync(join(result.putAsideAs, "journal.db")));
});

test("a backup of what is damaged is made, tells what is, and fails", async () => {
  const damaged = join(directory, "damaged-directory");
  await done("restore", file, "--data-dir", damaged);
  const table = (name: string) => join(damaged, "history", name);
  const rowsOf = (name: string) =>
    readdirSync(table(name)).find((one) => one.endsWith(".parquet")) ?? "";
  const [gone, other] = [rowsOf("requests"), rowsOf("errors")];
  rmSync(join(table("requests"), gone));
  const bytes = readFileSync(join(table("errors"), other));
  writeFileSync(join(table("errors"), other), changed(bytes, bytes.length >> 1));
  writeFileSync(join(table("metrics"), "_delta_log", `${"0".repeat(20)}.json`), "{");
  writeFileSync(join(table("summaries.sqlite")), "no database");
  const args = ["backup", "--data-dir", damaged, "--out"];
  const { exit, stdout, stderr } = await run(...args, "of-damaged.tar");
  assert.equal(exit, 1);
  assert.match(stdout, /^of-damaged\.tar: /);
  assert.match(stderr, /STORE_DAMAGED: the backup was made, of a data directory that is damaged:/);
  assert.match(stderr, new RegExp(`history/requests/${gone}: it is gone`));
  assert.match(stderr, new RegExp(`history/errors/${other}: it is not what was written`));
  assert.match(stderr, /history\/metrics\/_delta_log: /);
  assert.match(stderr, /history\/summaries\.sqlite: SQLite can't read it, so it stays behind/);
  assert.match(stderr, /Hint: Let dspy-databricks monitor run on .* Then make another backup\./);
  const json = await run(...args, "again.tar", "--output", "json");
  assert.equal(json.exit, 1);
  assert.equal(JSON.parse(json.stdout).damaged.length, 4);
  writeFileSync(join(damaged, "journal.db"), "no database, but long enough to be looked at as one");
  const journal = await run(...args, "of-journal.tar");
  assert.match(
    journal.stderr,
    /journal\.db: it can't be read, and was set aside as journal\.db\.corrupt/,
  );
  await done("restore", "of-damaged.tar", "--data-dir", join(directory, "of-damaged"));
  assert.deepEqual(
    JSON.parse(
      await done("backup", "--data-dir", restored, "--out", "whole.tar", "--output", "json"),
    ).damaged,
    [],
  );
});

test("a disk without room: it is told which, and nothing is left", async () => {
  const before = readdirSync(directory).sort();
  const backup = await runWithin(512, "backup", "--out", "none.tar", "--data-dir", original);
  assert.equal(backup.exit, 1);
  assert.match(
    backup.stderr,
    /FILE_UNWRITABLE: cannot write the backup none\.tar: none\.tar would/,
  );
  const restore = await runWithin(64, "restore", file, "--data-dir", "none");
  assert.equal(restore.exit, 1);
  assert.match(restore.stderr, /FILE_UNWRITABLE: cannot restore to none: /);
  const below = await run("backup", "--out", `${file}/none.tar`, "--data-dir", original);
  assert.equal(below.exit, 2);
  assert.match(below.stderr, /CONFIG_INVALID: cannot write the backup .*: on the way to .* a file/);
  assert.deepEqual(readdirSync(directory).sort(), before);
});

const damages: readonly (readonly [what: string, damage: (bytes: Buffer) => Buffer])[] = [
  ["a byte of the journal changed", (bytes) => changed(bytes, bytes.indexOf("journal/") + 600)],
  ["a byte of a header changed", (bytes) => changed(bytes, bytes.indexOf("journal/") + 2)],
  ["cut off in the middle", (bytes) => bytes.subarray(0, bytes.length / 2)],
  ["its end cut off", (bytes) => bytes.subarray(0, bytes.indexOf("backup.json"))],
  ["no backup", () => Buffer.from("something else".repeat(100))],
  ["empty", () => Buffer.alloc(0)],
];

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}

for (const [what, damage] of damages) {
  test(`${what}: refused, and nothing is written`, async () => {
    const path = join(directory, "damaged.tar");
    writeFileSync(path, damage(readFileSync(file)));
    const { exit, stderr } = await run("restore", path, "--data-dir", join(directory, "nothing"));
    assert.equal(exit, 1, stderr);
    assert.match(stderr, /BACKUP_INVALID: cannot restore .*\n {2}Hint: Nothing was restored/);
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith("nothing")),
      [],
    );
  });
}
