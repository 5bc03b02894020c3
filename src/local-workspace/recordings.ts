/**
 * What the three agents answered, and the telemetry they sent meanwhile: read
 * once from `fixtures/telemetry`, where `README.md` tells how it was recorded.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export type RecordedFailure = {
  /** The exception's class. */
  readonly type: string;
  /** What a served model answers to its caller. */
  readonly status: number;
  readonly body: { readonly error_code: string; readonly message: string };
};

export type Recording = {
  readonly agent: string;
  /** `ordinary`, `slow`, `cached`, or the kind of failure, such as `rate-limited`. */
  readonly case: string;
  readonly question: string;
  readonly outcome:
    | { readonly kind: "answered"; readonly answer: Readonly<Record<string, unknown>> }
    | { readonly kind: "failed"; readonly failure: RecordedFailure };
  /** As measured around the program when it was recorded. */
  readonly latencyMs: number;
  /** The OTLP body, protobuf. */
  readonly otlp: Uint8Array;
};

export type AgentRecordings = {
  readonly agent: string;
  /** How the agent reports: `dspy-otel-callback`, `openinference-litellm` or `mlflow-autolog`. */
  readonly convention: string;
  /** The DSPy program's class. */
  readonly program: string;
  readonly recordings: readonly Recording[];
};

export const agentNames = ["support-rag", "order-agent", "triage-pipeline"] as const;

const recordingsUrl = new URL("../../fixtures/telemetry/", import.meta.url);

/** Largest body, in bytes after decompression. Recorded ones are below 100 KB. */
const OTLP_MAX_BYTES = 4 * 1024 * 1024;

/** @throws Error when the files are missing or damaged: they are part of the package. */
export function readRecordings(folder: URL = recordingsUrl): readonly AgentRecordings[] {
  return agentNames.map((name) => readAgent(new URL(`${name}/`, folder)));
}

/** As `record.py` writes them. */
type Index = {
  agent: string;
  convention: string;
  program: string;
  recordings: readonly {
    case: string;
    question: string;
    answer?: Record<string, unknown>;
    error?: RecordedFailure;
    latencyMs: number;
    otlp: string;
  }[];
};

function readAgent(folder: URL): AgentRecordings {
  // The index is this project's own file, so its shape is trusted and the test reads all of it.
  const index = JSON.parse(readFileSync(new URL("recordings.json", folder), "utf8")) as Index;
  const recordings = index.recordings.map((entry): Recording => {
    const { answer, error, latencyMs, otlp, question } = entry;
    const packed = readFileSync(new URL(otlp, folder));
    return {
      agent: index.agent,
      case: entry.case,
      question,
      outcome: error
        ? { kind: "failed", failure: error }
        : { kind: "answered", answer: answer ?? {} },
      latencyMs,
      otlp: gunzipSync(packed, { maxOutputLength: OTLP_MAX_BYTES }),
    };
  });
  return { agent: index.agent, convention: index.convention, program: index.program, recordings };
}
