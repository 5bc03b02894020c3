/** The deployer as a command uses it: progress on stderr, and Ctrl+C stops the waiting. */
import type { DatabricksDeployerWithMonitoring } from "../../deployment.ts";
import { EXIT } from "../exit-code.ts";
import { onceASecond } from "../once-a-second.ts";
import { Interrupted, stopSignal } from "../stop-signal.ts";
import { progressLine } from "./progress-line.ts";

export type DeployerCommandOptions = {
  readonly profile?: string | undefined;
  readonly dataDir?: string | undefined;
};

/** Runs the work, and says what goes on when it was stopped. */
export async function withDeployer(
  { profile, dataDir }: DeployerCommandOptions,
  work: (deployer: DatabricksDeployerWithMonitoring) => Promise<void>,
): Promise<void> {
  const { DatabricksDeployerWithMonitoring } = await import("../../deployment.ts");
  const { signal, dispose } = stopSignal();
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const sayExported = onceASecond(say);
  const deployer = new DatabricksDeployerWithMonitoring({
    profile,
    dataDir,
    signal,
    onProgress(progress) {
      const line = progressLine(progress);
      if (line === null) return;
      if (progress.step === "export") sayExported(line);
      else say(line);
    },
  });
  try {
    await work(deployer);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    process.stderr.write(
      "Stopped. What was begun goes on in the workspace; run the same command again to finish it.\n",
    );
    process.exitCode = EXIT.interrupted;
  } finally {
    dispose();
  }
}
