/**
 * Decides what the example traffic asks next. Pure but for the randomness that
 * is passed in: it plays no part in when things go wrong.
 *
 * A bad spell lasts from second 25 to 50. Most questions to `support-rag` are
 * then ones that its model was slow to answer, and `triage-pipeline` fails more
 * often than otherwise, though in fewer than 40 % of its requests.
 */
import type { AgentRecordings, Recording } from "./recordings.ts";

export type PlannedRequest = { readonly agent: string; readonly question: string };

export type TrafficPlan = {
  /** `elapsedMs`: since the traffic began. */
  next(elapsedMs: number): PlannedRequest;
};

export type TrafficPlanOptions = {
  readonly agents: readonly AgentRecordings[];
  /** From 0 to below 1. */
  readonly random: () => number;
};

export const BAD_SPELL_START_MS = 25_000;
export const BAD_SPELL_END_MS = 50_000;

/** Asked in turn, so that each agent has enough requests in every few seconds. */
const TURNS = ["support-rag", "order-agent", "support-rag", "triage-pipeline"];

/** The share of slow questions to `support-rag` in the bad spell. */
const SLOW_SHARE = 0.75;
/** The share of questions that are asked again, of those for which a repetition was recorded. */
const REPEATED_SHARE = 0.35;
/** After an unusual request to an agent, the next one is so many later: none come in a heap. */
const UNUSUAL_EVERY = 10;
const UNUSUAL_EVERY_IN_SPELL = 4;

type Questions = {
  readonly ordinary: readonly string[];
  readonly slow: readonly string[];
  readonly repeated: ReadonlySet<string>;
  /** Failures, and answers in spite of one. */
  readonly unusual: readonly string[];
  readonly failing: readonly string[];
};

export function createTrafficPlan({ agents, random }: TrafficPlanOptions): TrafficPlan {
  const callers = new Map(
    agents.map((agent) => [agent.agent, createCaller(sortQuestions(agent), random)]),
  );
  let turn = 0;
  return {
    next(elapsedMs) {
      const agent = TURNS[turn++ % TURNS.length] ?? "";
      const isBadSpell = elapsedMs >= BAD_SPELL_START_MS && elapsedMs < BAD_SPELL_END_MS;
      const caller = callers.get(agent);
      if (!caller) throw new Error(`there are no recordings of ${agent}`);
      return { agent, question: caller(moodOf(agent, isBadSpell)) };
    },
  };
}

type Mood = "ordinary" | "slow" | "failing";

function moodOf(agent: string, isBadSpell: boolean): Mood {
  if (!isBadSpell) return "ordinary";
  if (agent === "support-rag") return "slow";
  return agent === "triage-pipeline" ? "failing" : "ordinary";
}

/** The questions to one agent, one after the other. */
function createCaller(questions: Questions, random: () => number): (mood: Mood) => string {
  const ordinary = deckOf(questions.ordinary, random);
  const slow = deckOf(questions.slow, random);
  const unusual = deckOf(questions.unusual, random);
  const failing = deckOf(questions.failing, random);
  let sinceUnusual = 0;
  let last = "";

  return (mood) => {
    if (mood === "slow" && random() < SLOW_SHARE) return slow();

    sinceUnusual += 1;
    const everyUnusual = mood === "failing" ? UNUSUAL_EVERY_IN_SPELL : UNUSUAL_EVERY;
    if (mood !== "slow" && sinceUnusual >= everyUnusual) {
      sinceUnusual = 0;
      return mood === "failing" ? failing() : unusual();
    }
    if (questions.repeated.has(last) && random() < REPEATED_SHARE) return last;
    last = ordinary();
    return last;
  };
}

/** Draws all in random order, then all again. */
function deckOf(questions: readonly string[], random: () => number): () => string {
  let left: readonly string[] = [];
  return () => {
    if (left.length === 0) left = questions;
    const drawn = left[Math.floor(random() * left.length)];
    if (drawn === undefined) throw new Error("there is no recording of this kind");
    left = left.filter((question) => question !== drawn);
    return drawn;
  };
}

function sortQuestions({ recordings }: AgentRecordings): Questions {
  const those = (isOne: (recording: Recording) => boolean) =>
    recordings.filter(isOne).map((recording) => recording.question);
  return {
    ordinary: those((recording) => recording.case === "ordinary"),
    slow: those((recording) => recording.case === "slow"),
    repeated: new Set(those((recording) => recording.case === "cached")),
    unusual: those((recording) => !["ordinary", "slow", "cached"].includes(recording.case)),
    failing: those((recording) => recording.outcome.kind === "failed"),
  };
}
