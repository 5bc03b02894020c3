/** One Spark session for a test file: it takes ten seconds to start and a gigabyte to run. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export type SparkAnswer = {
  readonly rows: readonly (readonly (string | null)[])[];
  readonly columns?: readonly string[];
  readonly types?: readonly string[];
  readonly files?: number;
  readonly error?: string;
  /** Of a notebook: what each of its code cells printed and drew. */
  readonly cells?: readonly NotebookCell[];
};

export type NotebookCell = {
  readonly id: string;
  readonly printed: string;
  readonly figures: readonly {
    readonly title: string;
    readonly points: number;
    readonly bars: number;
  }[];
};

export type Spark = {
  /** The answer, its `error` when Spark refused. */
  ask(request: Readonly<Record<string, unknown>>): Promise<SparkAnswer>;
  /** Its rows. @throws what Spark refused it with. */
  rows(sql: string): Promise<SparkAnswer["rows"]>;
  stop(): Promise<void>;
};

export async function startSpark({
  env = {},
}: {
  readonly env?: Readonly<Record<string, string>>;
} = {}): Promise<Spark> {
  const environment = new URL("../../.peers/spark/", import.meta.url).pathname;
  const script = new URL("spark-session.py", import.meta.url).pathname;
  const warehouse = mkdtempSync(join(tmpdir(), "spark-warehouse-"));
  const child = spawn(`${environment}bin/python`, [script, warehouse, `${environment}jars`], {
    cwd: warehouse,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let complaints = "";
  child.stderr.on("data", (chunk) => (complaints += chunk));
  const lines = createInterface({ input: child.stdout });
  const waiting: { resolve(answer: SparkAnswer): void; reject(error: Error): void }[] = [];
  const next = () =>
    new Promise<SparkAnswer>((resolve, reject) => waiting.push({ resolve, reject }));
  lines.on("line", (line) => waiting.shift()?.resolve(JSON.parse(line)));
  const gone = new Promise<void>((resolve) =>
    child.once("close", () => {
      for (const each of waiting) each.reject(new Error(`Spark ended:\n${complaints}`));
      resolve();
    }),
  );
  await next();

  const ask = (request: Readonly<Record<string, unknown>>) => {
    const answer = next();
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer;
  };
  return {
    ask,
    async rows(sql) {
      const { rows, error } = await ask({ sql });
      if (error !== undefined) throw new Error(`Spark refused ${sql}: ${error}`);
      return rows;
    },
    async stop() {
      child.stdin.end();
      await gone;
      rmSync(warehouse, { recursive: true, force: true });
    },
  };
}
