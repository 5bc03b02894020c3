import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestHistory, sumOf } from "./request-history.ts";

const MINUTE_MS = 60_000;

/** One request per minute from `startMs` on, every tenth of which fails. */
function totalsAt(nowMs: number, startMs = 0) {
  const count = (nowMs - startMs) / MINUTE_MS;
  const failed = Math.floor(count / 10);
  const series = [
    { labels: { endpoint: "qa", status_code: "200" }, value: count - failed },
    { labels: { endpoint: "qa", status_code: "503" }, value: failed },
  ];
  return { startMs, series };
}

function historyUpTo(untilMs: number): RequestHistory {
  const history = new RequestHistory();
  for (let nowMs = 0; nowMs <= untilMs; nowMs += MINUTE_MS) history.add(totalsAt(nowMs), nowMs);
  return history;
}

for (const [name, minutes, tolerance] of [
  ["half an hour is exact to the minute", 30, 1],
  ["two hours", 120, 1],
  ["six hours, to the quarter of an hour", 360, 15],
  ["a whole day", 1_440, 15],
] as const) {
  test(`${name}`, () => {
    const nowMs = 3 * 1_440 * MINUTE_MS + 30_000;
    const sinceMs = nowMs - minutes * MINUTE_MS;
    const counts = historyUpTo(nowMs).since(sinceMs, totalsAt(nowMs));
    const { count, failed } = sumOf(counts.byEndpoint.values());
    assert.ok(count >= minutes && count <= minutes + tolerance, `${count} in ${minutes} minutes`);
    assert.ok(Math.abs(failed - count / 10) <= 1);
    assert.equal(count, (nowMs - counts.sinceMs) / MINUTE_MS, "and it says since when");
  });
}

test("a service younger than the range is counted from its start", () => {
  const history = new RequestHistory();
  const { sinceMs, byEndpoint } = history.since(-60 * MINUTE_MS, totalsAt(5 * MINUTE_MS));
  assert.equal(sinceMs, 0);
  assert.equal(byEndpoint.get("qa")?.count, 5);
});

test("a history younger than the range is counted from its first reading", () => {
  const history = new RequestHistory();
  history.add(totalsAt(100 * MINUTE_MS), 100 * MINUTE_MS);
  const { sinceMs, byEndpoint } = history.since(70 * MINUTE_MS, totalsAt(110 * MINUTE_MS));
  assert.equal(sinceMs, 100 * MINUTE_MS);
  assert.equal(byEndpoint.get("qa")?.count, 10);
});

test("a week of readings takes the room of a day", () => {
  assert.ok(historyUpTo(7 * 1_440 * MINUTE_MS).size < 240);
});

test("asking often adds no readings", () => {
  const history = new RequestHistory();
  for (let nowMs = 0; nowMs < 10 * MINUTE_MS; nowMs += 100) history.add(totalsAt(nowMs), nowMs);
  assert.equal(history.size, 10);
});

test("calls that fail without a status count as failed, refused ones apart", () => {
  const series = [
    { labels: { endpoint: "qa", status_code: "200", outcome: "completed" }, value: 10 },
    { labels: { endpoint: "qa", status_code: "200", outcome: "stream_error" }, value: 2 },
    { labels: { endpoint: "qa", outcome: "timeout" }, value: 3 },
    { labels: { endpoint: "qa", outcome: "aborted" }, value: 4 },
    { labels: { endpoint: "qa", status_code: "429", outcome: "completed" }, value: 5 },
    { labels: { endpoint: "qa", status_code: "504", outcome: "completed" }, value: 6 },
    { labels: { endpoint: "qa", status_code: "403", outcome: "completed" }, value: 8 },
    { labels: { endpoint: "in-process" }, value: 7 },
  ];
  const { byEndpoint } = new RequestHistory().since(0, { startMs: 0, series });
  assert.deepEqual(Object.fromEntries(byEndpoint), {
    qa: { count: 38, failed: 11, throttled: 5, client: 8 },
    "in-process": { count: 7, failed: 0, throttled: 0, client: 0 },
  });
});

test("however many endpoints there are, a reading holds a thousand and the others together", () => {
  const series = Array.from({ length: 5_000 }, (_, index) => ({
    labels: { endpoint: `e${index}` },
    value: 1,
  }));
  const { byEndpoint } = new RequestHistory().since(0, { startMs: 0, series });
  assert.equal(byEndpoint.size, 1_001);
  assert.equal(byEndpoint.get("other")?.count, 4_000);
});
