/**
 * Every recorded OTLP body, sent over HTTP as it was recorded to a fresh monitor,
 * gives what `captures.expected.ts` says of it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { report } from "../src/cli/monitor/report.ts";
import { expectedCaptures, sequences } from "./captures.expected.ts";
import { monitorAfter, totals } from "./captures.seen.ts";

const seen = async (files: readonly string[]) => totals(await monitorAfter(files));

for (const { file, ...expected } of expectedCaptures) {
  test(file, async () => assert.deepEqual(await seen([file]), expected));
}
for (const { files, ...expected } of sequences) {
  test(`in order: ${files.join(", ")}`, async () => assert.deepEqual(await seen(files), expected));
  test(`reversed: ${files.join(", ")}`, async () =>
    assert.deepEqual(await seen([...files].reverse()), expected));
  test(`twice: ${files.join(", ")}`, async () =>
    assert.deepEqual(await seen([...files, ...files]), expected));
}

test("of two requests the report counts as failed the one that its caller did not give up", async () => {
  const monitor = await monitorAfter(["callback-given-up-0057.otlp.pb"]);
  const [agent] = report(monitor, { page: "", telemetry: "live" }).agents;
  assert.deepEqual([agent?.requests, agent?.failed, agent?.errorRatePercent], [2, 1, 50]);
});
