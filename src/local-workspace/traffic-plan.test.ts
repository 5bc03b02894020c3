/** Whatever the random numbers are, the traffic shows one bad spell, and no other time looks like it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Recording, readRecordings } from "./recordings.ts";
import { createTrafficPlan } from "./traffic-plan.ts";

const agents = readRecordings();
const SPELL_START_MS = 25_000;
const SPELL_END_MS = 50_000;
/** The longest pause between two requests. */
const PAUSE_MS = 550;
const WATCHED_MS = 120_000;

type Asked = { readonly atMs: number; readonly recording: Recording };

/** What is asked in two minutes. */
function ask(seed: number): readonly Asked[] {
  const plan = createTrafficPlan({ agents, random: randomOf(seed) });
  return Array.from({ length: WATCHED_MS / PAUSE_MS }, (_, i) => {
    const { agent, question } = plan.next(i * PAUSE_MS);
    const recording = agents
      .find((each) => each.agent === agent)
      ?.recordings.find((each) => each.question === question);
    return { atMs: i * PAUSE_MS, recording: recording ?? assert.fail(`${agent}: ${question}`) };
  });
}

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const isInSpell = ({ atMs }: Asked) => atMs >= SPELL_START_MS && atMs < SPELL_END_MS;
const of = (agent: string) => (asked: Asked) => asked.recording.agent === agent;
const isSlow = ({ recording }: Asked) => recording.case === "slow";
const isFailing = ({ recording }: Asked) => recording.outcome.kind === "failed";

function forEverySeed(check: (asked: readonly Asked[]) => void) {
  fc.assert(fc.property(fc.nat(), (seed) => check(ask(seed))));
}

/** The requests in every stretch of `windowMs`. */
function windowsOf(asked: readonly Asked[], windowMs: number): readonly (readonly Asked[])[] {
  return asked.map((last) =>
    asked.filter(({ atMs }) => atMs <= last.atMs && atMs > last.atMs - windowMs),
  );
}

test("in the bad spell, at least eight requests to support-rag are slow", () =>
  forEverySeed((asked) => {
    assert.ok(asked.filter(isInSpell).filter(isSlow).length >= 8);
  }));

test("nothing is slow outside the bad spell, and no other agent ever", () =>
  forEverySeed((asked) => {
    assert.ok(asked.filter(isSlow).every(isInSpell));
    assert.ok(asked.filter(isSlow).every(of("support-rag")));
  }));

test("triage-pipeline fails more often in the bad spell", () =>
  forEverySeed((asked) => {
    const triage = asked.filter(of("triage-pipeline"));
    const spell = triage.filter(isInSpell);
    assert.ok(spell.filter(isFailing).length >= 2);
    const others = triage.filter((each) => !isInSpell(each));
    assert.ok(
      others.filter(isFailing).length / others.length <
        spell.filter(isFailing).length / spell.length,
    );
  }));

test("no agent fails in 40 % of four or more requests within 15 s", () =>
  forEverySeed((asked) => {
    for (const { agent } of agents) {
      for (const window of windowsOf(asked.filter(of(agent)), 15_000)) {
        if (window.length < 4) continue;
        assert.ok(window.filter(isFailing).length / window.length < 0.4, agent);
      }
    }
  }));

test("support-rag has three requests in any 10 s, as the example rule wants", () =>
  forEverySeed((asked) => {
    const windows = windowsOf(asked.filter(of("support-rag")), 10_000);
    for (const window of windows.slice(8)) assert.ok(window.length >= 3);
  }));

test("every kind of request is seen within two minutes of some run", () => {
  const seen = new Set(
    [1, 2, 3, 4, 5, 6].flatMap((seed) => ask(seed).map(({ recording }) => recording.case)),
  );
  const recorded = agents.flatMap((agent) => agent.recordings.map((recording) => recording.case));
  // A repetition is asked with the same question as the first time.
  assert.deepEqual(new Set([...seen, "cached"]), new Set(recorded));
});

test("some questions are asked again at once", () => {
  const questions = ask(1)
    .filter(of("support-rag"))
    .map(({ recording }) => recording.question);
  assert.ok(questions.some((question, i) => question === questions[i - 1]));
});

test("the same random numbers ask the same", () => assert.deepEqual(ask(7), ask(7)));
