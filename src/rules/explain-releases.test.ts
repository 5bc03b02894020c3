/** What people read of two releases. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareReleases, type ReleaseSample } from "./compare-releases.ts";
import { explainReleases } from "./explain-releases.ts";

const SIZE = 1_000;

/** A thousand latencies evenly around their middle, or whatever else is like that. */
const spread = (middle: number, size = SIZE) =>
  Array.from({ length: size }, (_, index) => middle * (0.5 + (index + 0.5) / size));

const usual: ReleaseSample = {
  release: "3ab90e1c44d07f21",
  requests: SIZE,
  failed: 10,
  latenciesMs: spread(750),
  tokensPerRequest: spread(1_100),
  costUsdPerRequest: spread(0.0042),
  predictors: new Map([
    ["self.rewrite", "a"],
    ["self.answer", "b"],
  ]),
};
const later: ReleaseSample = { ...usual, release: "7c1f2d05aa9be310" };
const rewritten = new Map([...usual.predictors, ["self.rewrite", "x"]]);

function check(
  expected: string,
  after: Partial<ReleaseSample>,
  before: Partial<ReleaseSample> = {},
) {
  const comparison = compareReleases({ ...usual, ...before }, { ...later, ...after });
  assert.equal(explainReleases(comparison), expected);
}

test("slower, and what changed", () =>
  check(
    "Release 7c1f2d0 is slower than 3ab90e1: p95 is 1.3 s instead of 1.1 s (+21 %, 19 to 23 %). What changed: `self.rewrite`.",
    { latenciesMs: spread(907), predictors: rewritten },
  ));
test("fails more often, in points", () =>
  check(
    "Release 7c1f2d0 fails more often than 3ab90e1: 4 % of requests fail instead of 1 % (+3 points, 1.5 to 4.7). No predictor changed.",
    { failed: 40 },
  ));
test("worse in one, better in the other", () =>
  check(
    "Release 7c1f2d0 takes more tokens and costs more than 3ab90e1: a request takes 1.4 k tokens instead of 1.1 k (+30 %, 26 to 34 %); a request costs $0.0055 instead of $0.0042 (+30 %, 26 to 34 %). But it is faster: p95 is 1.0 s instead of 1.1 s (−10 %, −11 to −8.6 %). No predictor changed.",
    {
      latenciesMs: spread(675),
      tokensPerRequest: spread(1_430),
      costUsdPerRequest: spread(0.00546),
    },
  ));
test("only better", () =>
  check(
    "Release 7c1f2d0 is faster and fails less often than 3ab90e1: p95 is 0.5 s instead of 1.1 s (−50 %, −51 to −49 %); 1 % of requests fail instead of 10 % (−9 points, −11 to −6.8). What changed: `self.rewrite`.",
    { latenciesMs: spread(375), predictors: rewritten },
    { failed: 100 },
  ));
test("a change that the usual digits hide gets one more", () =>
  check(
    "Release 7c1f2d0 is slower than 3ab90e1: p95 is 1.13 s instead of 1.09 s (+4 %, 2.4 to 5.6 %). No predictor changed.",
    { latenciesMs: spread(780) },
  ));
test("no difference names what was compared", () =>
  check(
    "Release 7c1f2d0 shows no difference from 3ab90e1 in p95, failed requests, tokens and cost, as far as 1 k and 1 k requests tell. What changed: `self.rewrite`.",
    { predictors: rewritten },
  ));
test("what telemetry does not tell is not named", () =>
  check(
    "Release 7c1f2d0 shows no difference from 3ab90e1 in p95 and failed requests, as far as 1 k and 1 k requests tell. No predictor changed.",
    { tokensPerRequest: null, costUsdPerRequest: null },
  ));
test("nothing to compare", () =>
  check(
    "Release 7c1f2d0 cannot be compared with 3ab90e1: their telemetry tells no figure of both often enough. No predictor changed.",
    { latenciesMs: [], failed: Number.NaN, tokensPerRequest: null, costUsdPerRequest: null },
  ));
test("worse without predictors", () =>
  check(
    "Release 7c1f2d0 fails more often than 3ab90e1: 4 % of requests fail instead of 0 % (+4 points, 2.7 to 5.6). What changed is not known: the telemetry names no predictors of both.",
    { failed: 40, predictors: new Map() },
    { failed: 0 },
  ));
test("many predictors", () =>
  check(
    "Release 7c1f2d0 shows no difference from 3ab90e1 in p95, failed requests, tokens and cost, as far as 1 k and 1 k requests tell. What changed: `self.answer` (gone), `self.judge` (new), `self.rank` (new) and 2 more.",
    {
      predictors: new Map([
        ["self.rewrite", "x"],
        ["self.judge", "c"],
        ["self.rank", "d"],
        ["self.route", "e"],
      ]),
    },
  ));

const few = (size: number): Partial<ReleaseSample> => ({
  requests: size,
  failed: 0,
  latenciesMs: spread(750, size),
  tokensPerRequest: null,
  costUsdPerRequest: null,
});
test("not enough yet, and how many are missing", () =>
  check(
    "Not enough yet to compare release 7c1f2d0 with 3ab90e1: 7c1f2d0 needs 60 more requests, for 100 of each.",
    few(40),
  ));
test("not enough of both", () =>
  check(
    "Not enough yet to compare release 7c1f2d0 with 3ab90e1: 7c1f2d0 needs 1 more request and 3ab90e1 needs 12 more, for 100 of each.",
    few(99),
    few(88),
  ));

test("hashes that begin alike are shown as far as they differ", () =>
  check(
    "Release 3ab90e1c45 fails more often than 3ab90e1c44: 4 % of requests fail instead of 1 % (+3 points, 1.5 to 4.7). No predictor changed.",
    { release: "3ab90e1c45d07f21", failed: 40 },
  ));
test("a release with a name of its own keeps it, on one line", () =>
  check(
    "Release v2 rc fails more often than 3ab90e1c44d07f21: 4 % of requests fail instead of 1 % (+3 points, 1.5 to 4.7). No predictor changed.",
    { release: "v2\n rc", failed: 40 },
  ));
