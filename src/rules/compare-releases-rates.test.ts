/**
 * How often releases that are alike raise an alarm, and how often worse ones do:
 * a thousand seeded comparisons each. The figures stand in `docs/releases.md`.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { compareReleases, type Metric, type ReleaseComparison } from "./compare-releases.ts";
import {
  type Draw,
  drawRelease,
  heavyTailed,
  inTenths,
  lognormal,
  seeded,
  type Traffic,
  withCacheHits,
} from "./test-releases.ts";

const RUNS = 1_000;
const FALSE_ALARMS_MAX = 0.05;
const FOUND_MIN = 0.95;

const docs = readFileSync(new URL("../../docs/releases.md", import.meta.url), "utf8");

const typical: Traffic = {
  requests: 1_000,
  errorRate: 0.01,
  latency: lognormal(0.4),
  tokens: lognormal(0.4),
};

const latencies: Readonly<Record<string, Draw>> = {
  "lognormal, σ 0.4": lognormal(0.4),
  "heavy-tailed": heavyTailed,
  "30 % cache hits": withCacheHits(0.3),
  "95 % cache hits": withCacheHits(0.95),
  "in steps of a tenth": inTenths(lognormal(0.4)),
};
type Latency = keyof typeof latencies & string;

/** The share of seeded comparisons of which this is true. */
function shareOf(
  isSo: (comparison: ReleaseComparison) => boolean,
  {
    before,
    after,
    seed,
  }: { readonly before: Traffic; readonly after: Traffic; readonly seed: number },
): number {
  const random = seeded(seed);
  let count = 0;
  for (let run = 0; run < RUNS; run++) {
    if (isSo(compareReleases(drawRelease(before, random), drawRelease(after, random)))) count++;
  }
  return count / RUNS;
}

function inDocs(cells: readonly string[]): void {
  const row = `| ${cells.join(" | ")} |`;
  assert.ok(docs.includes(row), `docs/releases.md does not say: ${row}`);
}

const share = (value: number) => `${Math.round(value * 1000) / 10} %`;
const thousands = (count: number) => String(count).replace(/(?=000$)/, " ");

/** Requests before and after, latencies, error rate, and whether tokens and cost are known. */
const alike: readonly (readonly [number, number, Latency, number, "known" | "not known"])[] = [
  [1_000, 1_000, "lognormal, σ 0.4", 0.01, "known"],
  [1_000, 1_000, "lognormal, σ 0.4", 0.01, "not known"],
  [1_000, 1_000, "95 % cache hits", 0.01, "known"],
  [1_000, 100, "heavy-tailed", 0.01, "known"],
  [100, 1_000, "heavy-tailed", 0.01, "known"],
  [300, 300, "lognormal, σ 0.4", 0.2, "known"],
  [300, 300, "heavy-tailed", 0.01, "known"],
  [300, 300, "30 % cache hits", 0, "known"],
  [300, 300, "in steps of a tenth", 0.01, "not known"],
  [100, 100, "lognormal, σ 0.4", 0.01, "known"],
  [100, 100, "95 % cache hits", 0.2, "known"],
  [100, 100, "in steps of a tenth", 0, "known"],
];
for (const [index, [requestsBefore, requestsAfter, name, errorRate, tokens]] of alike.entries()) {
  const sizes = `${thousands(requestsBefore)} and ${thousands(requestsAfter)}`;
  const isKnown = tokens === "known";
  test(`alike: ${sizes} requests, ${name}, ${share(errorRate)} fail, tokens ${tokens}`, () => {
    const latency = latencies[name];
    assert.ok(latency);
    // Tokens and cost are as uneven as the latencies.
    const traffic = { ...typical, errorRate, latency, tokens: isKnown ? latency : null };
    const alarms = shareOf(({ alarm }) => alarm, {
      before: { ...traffic, requests: requestsBefore },
      after: { ...traffic, requests: requestsAfter },
      seed: 100 + index,
    });
    assert.ok(alarms <= FALSE_ALARMS_MAX, `${share(alarms)} raise an alarm`);
    inDocs([sizes, name, share(errorRate), tokens, share(alarms)]);
  });
}

/** What is worse, what both releases are like, what only the later one is, and where it shows. */
const worsened: readonly (readonly [string, Partial<Traffic>, Partial<Traffic>, Metric])[] = [
  ["p95 20 % higher", {}, { latency: (random) => 1.2 * typical.latency(random) }, "latencyP95Ms"],
  [
    "p95 20 % higher, latencies in steps of a tenth",
    { latency: inTenths(typical.latency) },
    { latency: inTenths((random) => 1.2 * typical.latency(random)) },
    "latencyP95Ms",
  ],
  ["4 % of requests fail instead of 1 %", {}, { errorRate: 0.04 }, "errorRate"],
  [
    "10 % more tokens",
    {},
    { tokens: (random) => 1.1 * lognormal(0.4)(random) },
    "tokensPerRequest",
  ],
];
for (const [index, [name, both, later, metric]] of worsened.entries()) {
  test(`worse: ${name}`, () => {
    const found = shareOf(({ metrics }) => metrics[metric].verdict === "worse", {
      before: { ...typical, ...both },
      after: { ...typical, ...both, ...later },
      seed: 200 + index,
    });
    assert.ok(found >= FOUND_MIN, `only ${share(found)} are found`);
    inDocs([name, share(found)]);
  });
}
