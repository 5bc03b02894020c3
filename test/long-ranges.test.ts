/**
 * Days and weeks over HTTP: the JSON API tells them from the summaries of the history, also
 * of agents that the monitor has long forgotten, and from the live figures where there are none.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../src/clock.ts";
import { entryOf } from "../src/state/journal-entry.ts";
import { MonitorState } from "../src/state/monitor-state.ts";
import { PendingSummaries } from "../src/summaries/pending-summaries.ts";
import { Summaries } from "../src/summaries/summaries.ts";
import { openSummaries, SUMMARIES_FILE } from "../src/summaries/summary-store.ts";
import type { AgentView, Overview } from "../src/web/api.ts";
import { startMonitor } from "./start-monitor.ts";
import { trafficJournal } from "./traffic-journal.ts";

const DAY_MS = 86_400_000;
const directory = mkdtempSync(join(tmpdir(), "long-ranges-"));
after(() => rmSync(directory, { recursive: true }));

const journal = trafficJournal(120);
const lastMs = journal.at(-1)?.timeMs ?? 0;
/** Three days after the last request, so that no live figure knows of it. */
const nowMs = lastMs + 3 * DAY_MS;
const clock = { ...systemClock, now: () => nowMs, every: () => () => {} };

function summarised(name: string): Summaries {
  const home = join(directory, name);
  const { store } = openSummaries(home, nowMs);
  const state = new MonitorState();
  const pending = new PendingSummaries();
  for (const { seq, timeMs, body } of journal) {
    pending.add(state.apply(entryOf(body), timeMs, seq), timeMs, (agent) => agent);
  }
  store.seal(pending, { upTo: journal.length, nowMs });
  store.close();
  return new Summaries(join(home, SUMMARIES_FILE));
}

async function ask<T>(url: string, path: string): Promise<T> {
  const answer = await fetch(`${url}/api/${path}`);
  assert.equal(answer.status, 200, path);
  return (await answer.json()) as T; // The server is compiled against these types.
}

test("a week shows agents that have been silent for days, and what they did", async () => {
  const summaries = summarised("week");
  const { url, close } = await startMonitor({ clock, summaries });
  try {
    const overview = await ask<Overview>(url, "overview?range=7d");
    assert.equal(overview.figures.from, "summaries");
    assert.deepEqual(
      overview.agents.map(({ endpoint, word, requests, traffic }) => ({
        ...{ endpoint, word, requests },
        drawn: traffic.reduce((sum, count) => sum + count, 0),
      })),
      [
        { endpoint: "qa", word: "quiet", requests: 80, drawn: 80 },
        { endpoint: "triage", word: "quiet", requests: 40, drawn: 40 },
      ],
    );
    assert.ok(overview.errorGroups.length > 0);

    const view = await ask<AgentView>(url, "agents/qa?range=30d");
    const { series, agent, modules, models } = view;
    assert.equal(agent.requests, 80);
    assert.equal(agent.modelVersion, "2");
    const inSteps = series.succeeded.map((count, step) => count + (series.failed[step] ?? 0));
    assert.equal(
      inSteps.reduce((sum, count) => sum + count, 0),
      80,
    );
    assert.ok(series.p99Ms.some((ms) => ms !== null));
    assert.ok(modules.length > 3 && models.length > 0);
    assert.equal(view.before, null, "a month before nothing was watched");

    const one = await ask<AgentView>(url, "agents/qa?range=7d&modelVersion=1");
    const calls = (rows: AgentView["modules"]) => rows.reduce((sum, row) => sum + row.calls, 0);
    assert.ok(calls(one.modules) > 0 && calls(one.modules) < calls(modules));

    const day = await ask<AgentView>(url, "agents/qa?range=24h").catch(() => null);
    assert.equal(day, null, "of the last day nothing is known of it");
  } finally {
    await close();
    await summaries.close();
  }
});

test("what is watched, and not summed up yet, is shown beside what is", async () => {
  const summaries = summarised("beside");
  const { monitor, url, close } = await startMonitor({ clock, summaries });
  try {
    const seen = {
      status: "healthy",
      state: "ready",
      message: "It is ready",
      latencyMs: null,
    } as const;
    const health = { ...seen, component: "endpoint/new", endpoint: "new", timeMs: nowMs };
    await monitor.observe({ samples: [], health: [health], dropped: new Map() });
    const { agents } = await ask<Overview>(url, "overview?range=30d");
    assert.deepEqual(
      agents.map(({ endpoint, requests }) => [endpoint, requests]),
      [
        ["new", 0],
        ["qa", 80],
        ["triage", 40],
      ],
    );
    assert.equal((await ask<AgentView>(url, "agents/new?range=30d")).agent.requests, 0);
  } finally {
    await close();
    await summaries.close();
  }
});

test("without summaries, or when they can't be read, a week is what is known live", async () => {
  writeFileSync(join(directory, "broken.sqlite"), "no database".repeat(500));
  const broken = new Summaries(join(directory, "broken.sqlite"));
  for (const summaries of [undefined, broken]) {
    const { url, close } = await startMonitor({ clock, ...(summaries ? { summaries } : {}) });
    const overview = await ask<Overview>(url, "overview?range=7d");
    assert.equal(overview.figures.from, "live");
    assert.deepEqual(overview.agents, []);
    await close();
  }
  await broken.close();
});
