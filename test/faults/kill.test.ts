/**
 * A batch is acknowledged only when it is committed to the journal. So a monitor
 * may be killed at any moment: after the restart nothing acknowledged is missing,
 * nothing is counted twice, and the figures are those of before.
 *
 * The moments come from a seed, which is printed; `KILL_SEED=<seed>` runs the same again,
 * `KILL_ROUNDS=20` kills 500 times in place of 25.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, suite, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CLOSE_AFTER_MS } from "../../src/ingest/otlp/open-traces.ts";
import {
  droppedReasons,
  expectedFigures,
  overviewOf,
  scrapedFigures,
  scrapedPart,
  scrapedValue,
  shownBesideAlerts,
  shownFigures,
  shownState,
} from "../kill/figures.ts";
import type { KillPoint } from "../kill/kill-point.ts";
import { type Load, startLoad } from "../kill/load.ts";
import { killMonitorsLeft, startMonitorProcess } from "../kill/monitor-process.ts";
import { type Random, randomFrom } from "../kill/random.ts";
import { type Agent, type Batch, readRecordings } from "../kill/recordings.ts";

after(killMonitorsLeft);

const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);

/** Each is 25 kills. */
const rounds = Number(process.env.KILL_ROUNDS ?? 1);

type Kill = { readonly at: KillPoint | "any"; readonly times: number };

/** One round, in this order, so that traces of many short runs are closed by a longer one. */
const kills: readonly Kill[] = [
  { at: "any", times: 4 },
  { at: "commit", times: 2 },
  { at: "committed", times: 3 },
  { at: "close", times: 1 },
  { at: "replay", times: 1 },
  { at: "close-committed", times: 1 },
  { at: "commit", times: 2 },
  { at: "replay", times: 1 },
  { at: "committed", times: 2 },
  { at: "any", times: 4 },
  { at: "close-committed", times: 2 },
  { at: "replay", times: 1 },
  { at: "close", times: 1 },
];

// They wait more than they work, each for processes of its own.
suite("a monitor that is killed", { concurrency: true }, () => {
  test(`killed ${25 * rounds} times under load, it counts every batch exactly once`, async (t) => {
    const random = randomFrom(seed);
    t.diagnostic(`KILL_SEED=${seed}`);
    const dataDirectory = temporaryDirectory(t);
    const load = startLoad({ recordings: readRecordings(), random });
    t.after(() => load.abandon());

    let killed = 0;
    for (const { at, times } of new Array<readonly Kill[]>(rounds).fill(kills).flat()) {
      for (let time = 0; time < times; time++) {
        await startAndKill(at, { dataDirectory, load, random });
        killed++;
      }
    }
    assert.equal(killed, 25 * rounds);

    const last = startMonitorProcess({ dataDirectory });
    const url = await last.ready;
    load.target = url;
    await load.stop();
    await untilClosed(url);
    assert.deepEqual(await shownFigures(url), expectedFigures(load.copies));
    assert.deepEqual(await droppedReasons(url), ["duplicate_span"]);
    const { acknowledged, unanswered, repeated } = load.counts;
    t.diagnostic(`${killed} kills; ${load.copies.length} recordings, ${acknowledged} acknowledged`);
    t.diagnostic(`sent again: ${unanswered} without an answer, ${repeated} although acknowledged`);

    await t.test("killed while idle, it shows the same as before", async () => {
      const before = await shownBesideAlerts(url);
      await last.kill();
      const next = startMonitorProcess({ dataDirectory });
      const nextUrl = await next.ready;
      assert.deepEqual(await shownBesideAlerts(nextUrl), before);

      // /metrics counts from the start of the process; the page shows all.
      const more = startLoad({ recordings: readRecordings(), random });
      more.target = nextUrl;
      await pause(300);
      await more.stop();
      await untilClosed(nextUrl);
      const recent = expectedFigures(more.copies);
      assert.deepEqual(await scrapedFigures(nextUrl), scrapedPart(recent));
      assert.deepEqual(
        await shownFigures(nextUrl),
        expectedFigures([...load.copies, ...more.copies]),
      );
      await next.kill();
    });
  });

  test("a trace of two parts is one request, however long the monitor was down between", async (t) => {
    const dataDirectory = temporaryDirectory(t);
    const torn = readRecordings().find(({ name }) => name.includes("split-react"));
    assert.ok(torn);
    const copy = torn.copy("support-agent");
    const [inner, root] = copy.batches;
    assert.ok(inner && root);

    const first = startMonitorProcess({ dataDirectory });
    await post(await first.ready, root);
    await first.kill();
    await pause(CLOSE_AFTER_MS);
    const next = startMonitorProcess({ dataDirectory });
    const url = await next.ready;
    await pause(500); // a sender that was refused comes back a little later
    await post(url, inner);
    await untilClosed(url);
    assert.deepEqual(await shownFigures(url), expectedFigures([copy]));
    await next.kill();
  });

  test("alerts are told once, and one that could not be told is told after the restart", async (t) => {
    const dataDirectory = temporaryDirectory(t);
    const slack = await startSlack(t);
    const start = () =>
      startMonitorProcess({
        dataDirectory,
        command: [fileURLToPath(new URL("../kill/alerting-monitor.ts", import.meta.url))],
        env: { DATA_DIRECTORY: dataDirectory, WEBHOOK_URL: slack.url },
      });
    const failing = readRecordings().filter(({ name }) => name.startsWith("callback-err"));
    const fail = async (url: string, agent: Agent) => {
      for (const recording of failing) {
        for (const batch of recording.copy(agent).batches) await post(url, batch);
      }
    };

    const first = start();
    const url = await first.ready;
    await fail(url, "support-agent");
    await untilNotified(url, ["sent"]);
    slack.isDown = true;
    await fail(url, "billing-agent");
    await untilNotified(url, ["sent", "waiting"]);
    const before = await shownState(url);
    await first.kill();

    const next = start();
    const nextUrl = await next.ready;
    assert.deepEqual(await shownState(nextUrl), before);
    slack.isDown = false;
    await untilNotified(nextUrl, ["sent", "sent"]);
    assert.deepEqual(
      slack.taken.map((text) => /\w+-agent/.exec(text)?.[0]),
      ["support-agent", "billing-agent"],
    );
    await next.kill();
  });
});

async function startAndKill(
  at: Kill["at"],
  { dataDirectory, load, random }: { dataDirectory: string; load: Load; random: Random },
): Promise<void> {
  // Closing waits for two quiet seconds, so such a run sees few of them.
  const nth =
    at === "close" || at === "close-committed" || at === "replay" ? 1 : random.between(1, 60);
  const killPoint = at === "any" ? {} : { killPoint: `${at}:${nth}:${random.between(0, 3)}` };
  const monitor = startMonitorProcess({ dataDirectory, ...killPoint });
  try {
    // What it writes at its start may already be the moment: then it was never ready.
    if (at !== "replay") load.target = await monitor.ready.catch(() => null);
    if (at === "any") {
      await pause(random.between(0, 600));
      await monitor.kill();
    }
    assert.equal(await Promise.race([monitor.untilEnded(), load.failed]), "SIGKILL");
  } finally {
    load.target = null;
  }
}

/** Waits until the notifications, oldest first, are in these states. */
async function untilNotified(url: string, states: readonly string[]): Promise<void> {
  await until(`notifications ${states}`, async () => {
    const { notifications } = await overviewOf(url);
    const tried = notifications.filter(({ attempts }) => attempts > 0).reverse();
    return tried.map(({ state }) => state).join() === states.join();
  });
}

/** All senders are quiet: what is open closes within seconds. */
async function untilClosed(url: string): Promise<void> {
  await until("all traces closed", async () => (await scrapedValue(url, "dspy_open_traces")) === 0);
}

async function until(what: string, isReached: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 15_000;
  while (!(await isReached())) {
    assert.ok(Date.now() < deadlineMs, `not within 15 s: ${what}`);
    await pause(50);
  }
}

async function post(url: string, { headers, body }: Batch): Promise<void> {
  const response = await fetch(`${url}/v1/traces`, { method: "POST", headers, body });
  assert.equal(response.status, 200, await response.text());
}

/** Takes messages as Slack does, or is down. */
async function startSlack(t: TestContext) {
  const slack = { url: "", isDown: false, taken: [] as string[] };
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (!slack.isDown) slack.taken.push(body);
    response.writeHead(slack.isDown ? 503 : 200).end(slack.isDown ? "" : "ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  slack.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T/B/x`;
  return slack;
}

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kill-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
