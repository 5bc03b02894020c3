/**
 * Which of the recorded agents a registered model is. The recordings are those of the
 * programs in `examples/`, unchanged: any other program would be answered for wrongly.
 * So a model is known by the hash of its sources, and by nothing that it says of itself.
 */
import { createHash } from "node:crypto";

/** The hash of `examples/NAME/agent.py`, and `program.json` where there is one, by name. */
const recordedPrograms: Readonly<Record<string, string>> = {
  "support-rag": "c6f154167049336e578522abd639ec1de902a943b03b8bfd2507bcd02ee93b2a",
  "order-agent": "1aee2e27f0c118fc7117896c4b2b47ab391237cbff65721a64b53f8b453834e3",
  "triage-pipeline": "4720185be0b9eec62ee3e6fd589759279cdcf559bf15da623e28fc77149cf4e8",
};

/** What stands in every model that `dspy-databricks deploy` makes, whatever the agent. */
const NOT_OF_THE_AGENT = "code/dspy_databricks_agents/";
const CODE = "code/";
const COMPILED = "artifacts/program.json";

/**
 * The agent that was recorded with these sources, such as `support-rag`; `null` for any
 * other model.
 *
 * @param files of the model directory, by path.
 */
export function recordedProgramOf(files: ReadonlyMap<string, Uint8Array>): string | null {
  const hash = hashOfSources(files);
  return Object.keys(recordedPrograms).find((name) => recordedPrograms[name] === hash) ?? null;
}

/** SHA-256 over a line for each source, sorted by path: its own SHA-256, two spaces, its path. */
export function hashOfSources(files: ReadonlyMap<string, Uint8Array>): string {
  const whole = createHash("sha256");
  for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isSource =
      path === COMPILED || (path.startsWith(CODE) && !path.startsWith(NOT_OF_THE_AGENT));
    if (!isSource) continue;
    whole.update(`${createHash("sha256").update(content).digest("hex")}  ${path}\n`);
  }
  return whole.digest("hex");
}
