/**
 * Says what the telemetry of an agent does not tell, so that a dash on the page is known for
 * what it is. The same as the table of `docs/telemetry.md`, which a test holds against it.
 */

type Untold = {
  readonly name: string;
  readonly untold: readonly string[];
  /** Told where LiteLLM is instrumented as well, and does the calls. */
  readonly withLiteLlm: readonly string[];
};

const MLFLOW = [
  "releases",
  "tokens of single modules and models",
  "cost",
  "cache hits",
  "time to first token",
  "retries",
];

/** By convention, as far as anything is missing that another one tells. */
export const untoldBy: Readonly<Record<string, Untold>> = {
  callback: { name: "Our Python package", untold: ["retries"], withLiteLlm: [] },
  openinference: {
    name: "OpenInference",
    untold: ["module paths", "releases", "cache hits", "time to first token"],
    withLiteLlm: ["tokens", "tokens of single modules and models", "cost", "retries"],
  },
  mlflow: { name: "MLflow", untold: ["module paths", ...MLFLOW], withLiteLlm: [] },
  genai: {
    name: "MLflow with GenAI names",
    untold: ["module paths", ...MLFLOW.filter((what) => what !== "time to first token")],
    withLiteLlm: [],
  },
};

/** One sentence for each convention that an agent's telemetry is of. */
export function untoldWords(conventions: readonly string[]): string[] {
  return conventions.flatMap((convention) => {
    const gaps = untoldBy[convention];
    if (!gaps) return [];
    const also =
      gaps.withLiteLlm.length === 0
        ? ""
        : `; only with LiteLLM instrumented too: ${gaps.withLiteLlm.join(", ")}`;
    return [`${gaps.name} does not tell: ${gaps.untold.join(", ")}${also}.`];
  });
}
