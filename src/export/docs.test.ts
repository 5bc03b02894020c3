/** The examples of `docs/export.md` run as they stand there; what is pushed arrives in a monitor. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { testExamples } from "../../test/docs-typescript.ts";
import { type StartedMonitor, startMonitor } from "../../test/start-monitor.ts";

let started: StartedMonitor;
before(async () => {
  started = await startMonitor({});
});
after(() => started.close());

testExamples("docs/export.md", { addresses: () => ({ "http://127.0.0.1:4318": started.url }) });

test("what the page pushes has arrived in the monitor", () => {
  assert.ok(started.monitor.state.metricPointsTaken > 0);
});
