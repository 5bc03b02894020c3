/** The thread in which summaries are read, since SQLite's calls are synchronous: taking telemetry in never waits for them. */
import { parentPort, workerData } from "node:worker_threads";
import { packed } from "./pack-summaries.ts";
import { type AskedStretch, type ReadSummaries, SummaryFile } from "./read-summaries.ts";

export type ToWorker = {
  readonly id: number;
  /** `null` is all of them. */
  readonly agent: string | null;
  readonly asked: AskedStretch;
};

export type FromWorker =
  | { readonly id: number; readonly read: ReturnType<typeof packed> }
  | { readonly id: number; readonly problem: string };

const { path } = workerData as { path: string };
const file = new SummaryFile(path);
const port = parentPort;
if (!port) throw new Error("summaries-worker runs as a worker thread");

port.on("message", ({ id, agent, asked }: ToWorker) => {
  try {
    const read: ReadSummaries = agent === null ? file.agents(asked) : file.agent(agent, asked);
    port.postMessage({ id, read: packed(read) } satisfies FromWorker);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    port.postMessage({ id, problem } satisfies FromWorker);
  }
});
