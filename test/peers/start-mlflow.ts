/** A real MLflow server on a free port, with a database and files of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startProgram, until } from "./run-program.ts";

const python = new URL("../../.peers/mlflow/bin/python", import.meta.url).pathname;
/** Importing MLflow alone takes many seconds on a busy machine. */
const START_MAX_MS = 90_000;

export async function startMlflow(): Promise<{ host: string; stop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), "mlflow-"));
  const port = await freePort();
  const host = `http://127.0.0.1:${port}`;
  const server = startProgram("env", [
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false",
    "LITELLM_LOCAL_MODEL_COST_MAP=True",
    python,
    ...["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", String(port), "--workers", "1"],
    ...["--backend-store-uri", `sqlite:///${directory}/mlflow.db`],
    ...["--artifacts-destination", join(directory, "artifacts")],
  ]);
  const stop = async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const isUp = async () => (await fetch(`${host}/health`)).ok || null;
    await until("the start of MLflow", isUp, START_MAX_MS);
  } catch (error) {
    await stop();
    throw new Error(server.output(), { cause: error });
  }
  return { host, stop };
}
