import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sentence } from "../api.ts";
import { answered, failed, type Live } from "../live.ts";
import { withLastKnown } from "./last-known.ts";

const at = (seconds: number) => new Date(2026, 5, 28, 14, 0, seconds).getTime();
const healthy: Sentence = { status: "healthy", headline: "All 3 agents are healthy.", detail: "" };

function check(live: Live<{ sentence: Sentence }>, expected: string): void {
  const sentence = withLastKnown(live).data?.sentence;
  assert.equal(`${sentence?.status}: ${sentence?.headline} ${sentence?.detail}`, expected);
}

const answer = (sentence: Sentence) => answered("api/overview", { sentence }, at(3));
const lost = (sentence: Sentence) => failed(answer(sentence), { kind: "no answer", nowMs: at(5) });

test("while the monitor answers, its sentence stands", () =>
  check(answer(healthy), "healthy: All 3 agents are healthy. "));

test("a monitor that is gone is not called healthy", () =>
  check(
    lost(healthy),
    "unknown: The monitor has not answered since 14:00:05. Last known, at 14:00:03: All 3 agents are healthy.",
  ));

test("what was wrong is still told", () =>
  check(
    lost({ status: "critical", headline: "support-rag is slow", detail: "p99 is 4.2 s." }),
    "unknown: The monitor has not answered since 14:00:05. Last known, at 14:00:03: support-rag is slow: p99 is 4.2 s.",
  ));

test("an agent that is not there is another matter", () =>
  check(
    failed(answer(healthy), { kind: "not found", nowMs: at(5) }),
    "healthy: All 3 agents are healthy. ",
  ));
