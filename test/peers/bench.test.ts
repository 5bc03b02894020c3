/** The benchmark still runs, and says what it says in the shape that it promises. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

function bench(...args: readonly string[]) {
  const run = spawnSync(process.execPath, ["bench/run.ts", "--quick", ...args], {
    encoding: "utf8",
    env: { PATH: process.env.PATH },
  });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

test("--json is an array of one object per peer, and nothing else", () => {
  const { status, stdout, stderr } = bench("--json", "record_request@64", "bound_handle");
  assert.equal(status, 0, stderr);
  const rows: unknown = JSON.parse(stdout);
  assert.ok(Array.isArray(rows));
  assert.deepEqual(
    rows.map(({ name, peer }) => [name, peer]),
    [
      ["record_request@64", "prom-client"],
      ["record_request@64", "@opentelemetry/sdk-metrics"],
      ["bound_handle@64", "prom-client (bound)"],
    ],
  );
  for (const row of rows) {
    assert.deepEqual(Object.keys(row), ["name", "oursNs", "peer", "peerNs", "ratio"]);
    assert.ok(row.oursNs > 0 && row.peerNs > 0, JSON.stringify(row));
    assert.equal(row.ratio, row.peerNs / row.oursNs);
  }
  assert.match(stderr, /^record_request@64 …\nbound_handle@64 …\n/);
});

test("a family is chosen by how it begins, and shown as a table", () => {
  const { status, stdout } = bench("track");
  assert.equal(status, 0);
  assert.match(stdout, /^name +ours +peer +peer takes +ratio +goal\ntrack_error@5_patterns .* × /);
  assert.match(stdout, /track_error by errors of history – 1 000: .*slowest over fastest/);
});

test("a million samples are journalled, sealed, asked for and exported, each there once", () => {
  const { status, stdout, stderr } = bench("history_at_size");
  assert.equal(status, 0, stderr);
  for (const row of ["journal", "seal", "p99_by_minute"]) {
    assert.match(stdout, new RegExp(`^history_at_size_${row} .* × `, "m"));
  }
  assert.match(
    stdout,
    /history_at_size: 1 000 000 samples – [\d ]+ per CPU-second on disk in the journal, .* each there once; at most \d+ MiB/,
  );
});

test("as many rows as no number says are refused", () => {
  const { status, stderr } = bench("history_at_size", "--rows", "many");
  assert.equal(status, 2);
  assert.match(stderr, /--rows can't be "many"/);
});

test("an unknown family is answered with those that there are", () => {
  const { status, stdout, stderr } = bench("record_requests");
  assert.equal(status, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /There is no benchmark "record_requests"\./);
  assert.match(stderr, /record_request@64, .*window_quantiles@60s, .*track_error@5_patterns/);
});

test("an unknown option is refused", () => assert.equal(bench("--jsno").status, 2));
