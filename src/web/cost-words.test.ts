import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRow, CostFigures } from "./api.ts";
import { cacheWords, costTitle } from "./cost-words.ts";

const unknown: CostFigures = {
  costUsd: null,
  costSource: null,
  unpricedCalls: 0,
  savedCostUsd: null,
};

/** Spaces within numbers are no-break ones. */
const plain = (text: string) => text.replaceAll("\u00a0", " ");

const titles: readonly [about: string, cost: Partial<CostFigures>, title: string][] = [
  ["told", { costUsd: 1, costSource: "told" }, "Told by the telemetry"],
  [
    "priced",
    { costUsd: 1, costSource: "price_book" },
    "From the price book, as the telemetry tells no cost",
  ],
  [
    "of a part only",
    { costUsd: 1, costSource: "told", unpricedCalls: 1_300 },
    "Told by the telemetry. Without 1.3 k model calls that have no price",
  ],
  ["unpriced", { unpricedCalls: 1 }, "No price for 1 model call"],
  [
    "with savings",
    { costUsd: 1, costSource: "told", savedCostUsd: 0.5 },
    "Told by the telemetry. DSPy's cache saved $0.50 beside it",
  ],
  ["unknown", {}, ""],
];
for (const [about, cost, title] of titles) {
  test(`a cost ${about} says so`, () =>
    assert.equal(plain(costTitle({ ...unknown, ...cost })), title));
}

const side = (requests: number, p50: number, p95: number) => ({
  requests,
  latencyMs: requests === 0 ? null : { p50, p95, p99: p95 },
});
const row = {
  ...unknown,
  byCache: null,
  tokens: null,
  cacheHits: null,
} as Partial<AgentRow> as AgentRow; // the words read nothing else

function check(about: string, told: Partial<AgentRow>, expected: readonly string[]) {
  test(about, () => assert.deepEqual(cacheWords({ ...row, ...told }).map(plain), expected));
}

check("of caches that are not told nothing is said", {}, []);
check(
  "requests that DSPy's cache answered stand apart from the others",
  { byCache: { hit: side(12, 3, 8), miss: side(28, 840, 2_100) } },
  [
    "DSPy's cache answered 12 of 40 requests in p50 3 ms, p95 8 ms; the others took p50 840 ms, p95 2.1 s.",
  ],
);
check(
  "a cache that answered nothing says only that",
  { byCache: { hit: side(0, 0, 0), miss: side(28, 840, 2_100) } },
  ["DSPy's cache answered 0 of 28 requests."],
);
check(
  "a cache that answered everything",
  { byCache: { hit: side(5, 3, 8), miss: side(0, 0, 0) } },
  ["DSPy's cache answered 5 of 5 requests in p50 3 ms, p95 8 ms."],
);
check("what it saved, where telemetry tells", { savedCostUsd: 0.12, cacheHits: 40 }, [
  "Its 40 answers saved $0.12.",
]);
check(
  "the share of the input that the provider's prompt cache served",
  { tokens: { input: 1_000, output: 10, cacheRead: 640 } },
  ["64 % of the input came from the provider's prompt cache."],
);
check("without input there is no share", { tokens: { input: 0, output: 0, cacheRead: 0 } }, []);
