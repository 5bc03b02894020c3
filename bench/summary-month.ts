/**
 * A month of summaries of very many agents, made without the requests behind them: what a
 * page over 30 days is measured on.
 */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { callFigures } from "../src/live/tally.ts";
import { startOf, type Tier, tiers } from "../src/summaries/periods.ts";
import { Summary } from "../src/summaries/summary.ts";
import { encodeHead, encodeParts, type Names } from "../src/summaries/summary-codec.ts";
import { openSummaries, SUMMARIES_FILE, tierIds } from "../src/summaries/summary-store.ts";

export type Month = {
  readonly agents: number;
  readonly modules: number;
  readonly days: number;
  readonly nowMs: number;
};

/** Calls of one agent in a minute; an hour has 60 times as many. */
const CALLS_A_MINUTE = 5;
/** Different summaries of each tier: which agent and time has which does not matter to reading. */
const DIFFERENT = 24;

export function writeMonth(directory: string, { agents, modules, days, nowMs }: Month): void {
  openSummaries(directory, nowMs).store.close();
  const database = new DatabaseSync(join(directory, SUMMARIES_FILE));
  database.exec("PRAGMA synchronous = OFF; BEGIN");
  const fromMs = startOf("day", nowMs) - days * tiers.day.lengthMs;
  database.exec(`INSERT INTO progress VALUES (1, 1, ${nowMs}, ${fromMs})`);
  const addName = database.prepare("INSERT INTO names VALUES (?, ?, 0)");
  const names = namesInto((id, text) => void addName.run(id, text));
  const head = database.prepare("INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?)");
  const parts = database.prepare("INSERT INTO parts VALUES (?, ?, ?, ?)");
  const ids = Array.from({ length: agents }, (_, agent) => names.idOf(`agent-${agent}`));
  // Of minutes a range of days needs none but those of its first hour.
  for (const tier of ["hour", "day"] as const) {
    const made = Array.from({ length: DIFFERENT }, (_, at) => summaryOf(tier, modules, at));
    const heads = made.map((summary) => encodeHead(summary, names));
    const wholes = made.map((summary) => encodeParts(summary, names));
    const { lengthMs, keptMs } = tiers[tier];
    const beginMs = startOf(tier, Math.max(fromMs, nowMs - keptMs));
    for (const [agent, id] of ids.entries()) {
      for (let startMs = beginMs, at = agent; startMs <= nowMs; startMs += lengthMs, at++) {
        const { calls = 0, failed = 0 } = made[at % DIFFERENT]?.requests ?? {};
        head.run(tierIds[tier], id, startMs, calls, failed, heads[at % DIFFERENT] ?? null);
        parts.run(tierIds[tier], id, startMs, wholes[at % DIFFERENT] ?? null);
      }
    }
  }
  database.exec("COMMIT");
  database.close();
}

function summaryOf(tier: Tier, modules: number, seed: number): Summary {
  const random = randomFrom(seed + 1);
  const summary = new Summary();
  const calls = (CALLS_A_MINUTE * tiers[tier].lengthMs) / tiers.minute.lengthMs;
  const latency = () => 20 + 400 * -Math.log(1 - random());
  for (let call = 0; call < calls; call++) {
    const failed = random() < 0.02;
    const figures = callFigures({
      latencyMs: latency() * modules * 0.3,
      tokens: { input: Math.floor(random() * 2_000), output: Math.floor(random() * 300) },
      cost: { toldUsd: random() / 100, pricedUsd: null, savedUsd: null, unpricedCalls: 0 },
      errorClass: failed ? "lm_provider" : null,
    });
    summary.requests.add(figures);
  }
  const root = summary.placeOf(
    { kind: "module", program: "Agent", path: "self", pathSource: "attribute" },
    null,
  );
  for (let module = 0; module < modules; module++) {
    const place =
      module === 0
        ? root
        : summary.placeOf(
            {
              kind: "module",
              program: "Agent",
              path: `self.step_${module}`,
              pathSource: "attribute",
            },
            root,
          );
    const tally = place.calls.of({ release: "7c1f2d0", modelVersion: "3" });
    for (let call = 0; call < calls; call++) {
      tally.add(callFigures({ latencyMs: latency() + 5, selfMs: latency() }));
    }
  }
  const model = summary.modelOf("claude-sonnet").of({ release: "7c1f2d0", modelVersion: "3" });
  for (let call = 0; call < calls; call++) model.add(callFigures({ latencyMs: latency() }));
  return summary;
}

/** Numbers texts as they come, and tells each once. */
function namesInto(add: (id: number, text: string) => void): Names {
  const ids = new Map<string, number>();
  return {
    idOf(text) {
      let id = ids.get(text);
      if (id === undefined) {
        id = ids.size + 1;
        ids.set(text, id);
        add(id, text);
      }
      return id;
    },
    textOf() {
      throw new Error("a month is only written");
    },
  };
}

/** The same numbers on each run. */
function randomFrom(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
