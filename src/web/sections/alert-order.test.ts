import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertRow } from "../api.ts";
import { alertsToShow, isSaid, sortAlerts } from "./alert-order.ts";

const alert = (state: AlertRow["state"], sinceMs: number) => ({ state, sinceMs }) as AlertRow;
const written = (alerts: AlertRow[]) => alerts.map(({ state, sinceMs }) => `${state} ${sinceMs}`);

test("firing stands first, and the oldest before the newer", () => {
  const sorted = sortAlerts([
    alert("resolved", 1),
    alert("pending", 2),
    alert("firing", 4),
    alert("firing", 3),
  ]);
  assert.deepEqual(written(sorted), ["firing 3", "firing 4", "pending 2", "resolved 1"]);
});

test("while an alert fires, those that are over are not shown", () =>
  assert.deepEqual(
    written(alertsToShow([alert("resolved", 9), alert("pending", 2), alert("firing", 3)])),
    ["firing 3", "pending 2"],
  ));

test("when nothing fires, the last one that ended is shown", () =>
  assert.deepEqual(
    written(alertsToShow([alert("resolved", 1), alert("resolved", 9), alert("resolved", 4)])),
    ["resolved 9"],
  ));

test("without alerts there is none to show", () => assert.deepEqual(alertsToShow([]), []));

const SENTENCE = {
  status: "critical",
  headline: "support-rag is slow",
  detail: "p99 is 4.2 s (limit 1.0 s) since 14:02. 71 % of the added time is in `self.rewrite`.",
} as const;

const about = (endpoint: string, reason: string) => ({ endpoint, reason }) as AlertRow;

test("what the sentence told already is not told twice, though figures moved", () => {
  const all = { ...SENTENCE, headline: "All is slow" };
  const reason = "69 % of the added time is in `self.rewrite`.";
  assert.equal(isSaid(about("support-rag", reason), all), true);
  assert.equal(isSaid(about("support-rag", `${reason} Model calls wait.`), all), false);
});

test("an agent that the sentence is about needs no second reason while it recovers", () => {
  const recovering = { ...SENTENCE, headline: "support-rag is recovering", detail: "" };
  assert.equal(isSaid(about("support-rag", "support-rag is slow: p99 is 4 s."), recovering), true);
});

test("the reason of another agent is told", () => {
  assert.equal(isSaid(about("triage", "triage is failing: 11 % fail."), SENTENCE), false);
  assert.equal(isSaid(about("support", "support is slow: p99 is 9 s."), SENTENCE), false);
});
