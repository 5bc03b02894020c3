/** The last lines of the report for people; the whole of it stands in `test/cli/run-and-report.txt`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Report } from "./report.ts";
import { reportText } from "./report-text.ts";

const empty: Report = {
  page: "http://127.0.0.1:4318",
  telemetry: "live",
  agents: [],
  errorGroups: [],
  health: [],
  alerts: [],
  notifications: 0,
  dropped: {},
};

for (const [notifications, said] of [
  [0, "No notification was sent."],
  [1, "1 notification sent."],
  [2, "2 notifications sent."],
] as const) {
  test(said, () => {
    const lastLine = reportText({ ...empty, notifications })
      .trimEnd()
      .split("\n")
      .at(-1);
    assert.equal(lastLine, `${said} Nothing was dropped.`);
  });
}
