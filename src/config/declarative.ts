/**
 * Other tools for DSPy on Databricks describe an agent's modules and their order in
 * YAML. Here an agent is a Python program; whoever brings such a file is told how to
 * write it.
 */
import { isMap } from "./merge.ts";
import type { Mistake } from "./mistakes.ts";

const KEYS = ["modules", "workflow"];

export function declarativeMistake(file: unknown): Mistake | null {
  if (!isMap(file)) return null;
  for (const [root, map] of [
    [[], file],
    [["agent"], file.agent],
  ] as const) {
    const key = isMap(map) ? KEYS.find((name) => name in map) : undefined;
    if (key === undefined) continue;
    return {
      path: [...root, key],
      what: `${[...root, key].join(".")} describes the agent's steps in YAML; here an agent is a DSPy program in Python`,
      hint:
        "Write the steps as a dspy.Module in agent.py, one attribute for each module and forward() " +
        "for the workflow, end the file with program = MyAgent(), and write agent: { model: { code: agent.py } } " +
        "here; docs/agent-yaml.md has an example of both.",
    };
  }
  return null;
}
