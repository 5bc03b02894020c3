/**
 * An MLflow model as files, made without Python: the agent's code as it is, the program's
 * compiled state, the ResponsesAgent around them, and the package that reports telemetry.
 * Pure, and the same bytes for the same sources, so that the hash of the files says
 * whether anything changed.
 */
import { createHash } from "node:crypto";
import { stringify } from "yaml";
import { allRequirements } from "./requirements.ts";
import { responsesAgentSignature } from "./signature.ts";

export type ModelSources = {
  /** The Python module that assigns `program`, such as `agent`. */
  readonly module: string;
  /** The agent's own files, by path from the folder of that module. */
  readonly code: ReadonlyMap<string, Uint8Array>;
  /** What `program.save("program.json")` wrote. */
  readonly program: Uint8Array | null;
  readonly requirements: readonly string[];
  /** Arguments of `dspy.LM`; `null` where the code configures it. */
  readonly lm: Readonly<Record<string, unknown>> | null;
  /** `python_model.py`. */
  readonly servingCode: Uint8Array;
  /** By path from where Python imports it. */
  readonly telemetryPackage: ReadonlyMap<string, Uint8Array>;
};

export type ModelDirectory = {
  /** By path, with / between folders, sorted. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** 64 hexadecimal digits. */
  readonly contentHash: string;
  readonly sizeBytes: number;
};

/** The latest of those that the oldest supported DSPy and Model Serving both have. */
const PYTHON_VERSION = "3.11.10";
/** Of the MLflow whose format this is. */
const MLFLOW_VERSION = "3.17.2";
const BUILD_PACKAGES = ["pip==23.2.1", "setuptools==65.5.0", "wheel"];

export function buildModelDirectory(sources: ModelSources): ModelDirectory {
  const requirements = allRequirements(sources.requirements);
  const files = new Map<string, Uint8Array>();
  const add = (path: string, content: string | Uint8Array) =>
    files.set(path, typeof content === "string" ? new TextEncoder().encode(content) : content);

  add("python_model.py", sources.servingCode);
  add("artifacts/agent.json", jsonOf({ module: sources.module, lm: sources.lm }));
  if (sources.program) add("artifacts/program.json", sources.program);
  for (const [path, content] of sources.code) add(`code/${path}`, content);
  // After the agent's own: nothing of the agent takes the place of the package.
  for (const [path, content] of sources.telemetryPackage) add(`code/${path}`, content);
  add("requirements.txt", `${requirements.join("\n")}\n`);
  add(
    "conda.yaml",
    stringify({
      name: "mlflow-env",
      channels: ["conda-forge"],
      dependencies: [`python=${PYTHON_VERSION}`, "pip<=23.2.1", { pip: requirements }],
    }),
  );
  add(
    "python_env.yaml",
    stringify({
      python: PYTHON_VERSION,
      build_dependencies: BUILD_PACKAGES,
      dependencies: ["-r requirements.txt"],
    }),
  );
  const example = { input: [{ role: "user", content: "Hello!" }] };
  add("input_example.json", jsonOf(example));
  add("serving_input_example.json", jsonOf(example));

  const contentHash = hashFiles(new Map([...files, ["MLmodel", mlModel(sources, null)]]));
  files.set("MLmodel", mlModel(sources, contentHash));
  const sorted = new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  const sizeBytes = [...files.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return { files: sorted, contentHash, sizeBytes };
}

/** The hash of paths and contents, in the order of the paths. */
export function hashFiles(files: ReadonlyMap<string, Uint8Array>): string {
  const whole = createHash("sha256");
  for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    whole.update(`${createHash("sha256").update(content).digest("hex")}  ${path}\n`);
  }
  return whole.digest("hex");
}

/** @param contentHash stands in it, so that it is left out while it is computed. */
function mlModel(sources: ModelSources, contentHash: string | null): Uint8Array {
  const artifact = (path: string) => ({ path: `artifacts/${path}`, uri: path });
  const model = {
    flavors: {
      python_function: {
        artifacts: {
          agent: artifact("agent.json"),
          ...(sources.program && { program: artifact("program.json") }),
        },
        code: "code",
        env: { conda: "conda.yaml", virtualenv: "python_env.yaml" },
        loader_module: "mlflow.pyfunc.loaders.code_model",
        model_code_path: "python_model.py",
        python_version: PYTHON_VERSION,
        streamable: true,
      },
    },
    metadata: {
      task: "agent/v1/responses",
      ...(contentHash !== null && { dspy_databricks_content_hash: contentHash }),
    },
    mlflow_version: MLFLOW_VERSION,
    // MLflow wants 32 digits; made of the content, so that the same content is the same model.
    ...(contentHash !== null && { model_uuid: contentHash.slice(0, 32) }),
    saved_input_example_info: {
      artifact_path: "input_example.json",
      serving_input_path: "serving_input_example.json",
      type: "json_object",
    },
    signature: {
      inputs: JSON.stringify(responsesAgentSignature.inputs),
      outputs: JSON.stringify(responsesAgentSignature.outputs),
      params: null,
    },
  };
  return new TextEncoder().encode(stringify(model, { lineWidth: 0 }));
}

function jsonOf(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
