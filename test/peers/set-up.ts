/** Makes what the peer tests need and no package of ours brings: a Python environment under `.peers/`, once. */
import { existsSync, writeFileSync } from "node:fs";
import { runProgram } from "./run-program.ts";

const requirements = ["databricks-sdk==0.156.0"];
const environment = new URL("../../.peers/python/", import.meta.url).pathname;
const ready = `${environment}ready-${requirements.join("-")}`;

if (!existsSync(ready)) {
  process.stderr.write(`Installing ${requirements.join(", ")} under .peers/ …\n`);
  await must("python3", ["-m", "venv", environment]);
  await must(`${environment}bin/pip`, ["install", "--quiet", ...requirements]);
  writeFileSync(ready, "");
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await runProgram(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${output}`);
}
