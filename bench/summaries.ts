/**
 * What a page over 30 days waits for: the JSON of the overview and of one agent, over HTTP,
 * with 100 agents of 20 modules each in the summaries. Time of day, since a person waits; the
 * thread that reads begins anew in each round, so nothing is remembered.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { Monitor } from "../src/monitor/monitor.ts";
import { startServer } from "../src/server/server.ts";
import { Summaries } from "../src/summaries/summaries.ts";
import { SUMMARIES_FILE } from "../src/summaries/summary-store.ts";
import { type Effort, FULL, type Measured, type Row } from "./measure.ts";
import { writeMonth } from "./summary-month.ts";

const GOAL_MS = 200;
const ROUNDS = 9;

const questions = {
  month_overview: "/api/overview?range=30d",
  month_agent: "/api/agents/agent-7?range=30d",
  week_overview: "/api/overview?range=7d",
  week_agent: "/api/agents/agent-7?range=7d",
} as const;

export async function summaries(effort: Effort): Promise<Measured> {
  const [agents, rounds] = effort === FULL ? [100, ROUNDS] : [4, 1];
  const month = { agents, modules: 20, days: 30, nowMs: Date.now() };
  const directory = mkdtempSync(join(tmpdir(), "bench-summaries-"));
  const path = join(directory, SUMMARIES_FILE);
  try {
    writeMonth(directory, month);
    const rows: Row[] = [];
    for (const [name, question] of Object.entries(questions)) {
      const taken: number[] = [];
      for (let round = 0; round < rounds; round++) taken.push(await answerMs(directory, question));
      const ms = taken.sort((a, b) => a - b)[Math.floor(taken.length / 2)] ?? Number.NaN;
      rows.push({
        name: `${name}@${agents}×${month.modules}`,
        oursNs: ms * 1e6,
        peer: `${GOAL_MS} ms for the whole answer`,
        peerNs: GOAL_MS * 1e6,
        ratio: GOAL_MS / ms,
      });
    }
    const megabytes = Math.round(statSync(path).size / 1e6);
    const notes = [
      `summaries of 30 days by hour and day, ${agents} agents of ${month.modules} modules that are called 5 times a minute: ${megabytes} MB`,
    ];
    return { rows, notes };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The second answer of a monitor: the first starts the thread, and compiles what it runs. */
async function answerMs(directory: string, question: string): Promise<number> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "bench-monitor-"));
  const monitor = await Monitor.start({
    dataDirectory,
    clock: systemClock,
    random: Math.random,
    rules: [],
    channel: null,
    pageUrl: () => null,
    formatTime: String,
    onNotice: () => {},
  });
  const summaries = new Summaries(join(directory, SUMMARIES_FILE));
  const source = { kind: "receiver", host: null, telemetry: "live" } as const;
  const surroundings = { source, sources: () => [], summaries };
  const server = await startServer({ monitor, surroundings, port: 0 });
  try {
    await (await fetch(`${server.url}/api/agents/agent-3?range=30d`)).text();
    const before = performance.now();
    const answer = await fetch(server.url + question);
    const text = await answer.text();
    const ms = performance.now() - before;
    const { figures } = JSON.parse(text) as { figures: { from: string } };
    if (answer.status !== 200 || figures.from !== "summaries") throw new Error(text);
    return ms;
  } finally {
    await server.close();
    await summaries.close();
    await monitor.close();
    rmSync(dataDirectory, { recursive: true });
  }
}
