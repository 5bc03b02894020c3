/**
 * A served agent, as its endpoint sees it: it knows the recorded questions, and
 * has a cache as DSPy has one. A question that was answered a short while ago
 * gets the recording of its repetition, where there is one.
 */
import type { AgentRecordings, Recording } from "../recordings.ts";

export type ServedAgent = AgentRecordings & {
  /** `null` when the question was never recorded. */
  find(question: string): Recording | null;
  /** Takes an answer into the cache, once it was given. */
  remember(recording: Recording): void;
};

/** How many questions the cache holds; the one asked longest ago is forgotten first. */
const CACHE_QUESTIONS_MAX = 3;

export function serveAgent(agent: AgentRecordings): ServedAgent {
  const firstTimes = new Map<string, Recording>();
  const repetitions = new Map<string, Recording>();
  for (const recording of agent.recordings) {
    const known = recording.case === "cached" ? repetitions : firstTimes;
    known.set(recording.question, recording);
  }

  let cache: readonly string[] = [];
  return {
    ...agent,
    find(question) {
      const repeated = cache.includes(question) ? repetitions.get(question) : undefined;
      return repeated ?? firstTimes.get(question) ?? null;
    },
    remember({ question, outcome }) {
      // DSPy caches answers, and no failures.
      if (outcome.kind === "failed") return;
      const others = cache.filter((other) => other !== question);
      cache = [question, ...others].slice(0, CACHE_QUESTIONS_MAX);
    },
  };
}
