/** Spans for tests: written as a tree, so that a test shows what matters. */
import type { AgentSpan } from "../../signals/span.ts";

export const traceId = "0af7651916cd43dd8448eb211c80319c";

const blank: AgentSpan = {
  traceId,
  spanId: "0000000000000001",
  parentSpanId: null,
  name: "RagQA.forward",
  convention: "openinference",
  kind: "module",
  startMs: 1_000,
  endMs: 2_000,
  endpoint: "support-rag",
  modelVersion: null,
  release: null,
  predictorHash: null,
  path: null,
  program: null,
  model: null,
  provider: null,
  tokens: null,
  totalTokens: null,
  costUsd: null,
  savedCostUsd: null,
  cacheHit: null,
  firstTokenMs: null,
  failed: false,
  errorClass: null,
  errorType: null,
  errorMessage: null,
  repeatsParent: false,
};

export type Branch = Partial<Omit<AgentSpan, "spanId" | "parentSpanId">> & {
  readonly inside?: readonly Branch[];
};

/** Spans of a tree, a caller before what it calls. Ids count up from `firstId`. */
export function spansOf(tree: Branch, firstId = 1): AgentSpan[] {
  const spans: AgentSpan[] = [];
  const add = ({ inside = [], ...told }: Branch, parentSpanId: string | null) => {
    const spanId = (firstId + spans.length).toString(16).padStart(16, "0");
    spans.push({ ...blank, ...told, spanId, parentSpanId });
    for (const child of inside) add(child, spanId);
  };
  add(tree, null);
  return spans;
}

/** What a failed span carries. */
export function failure(errorType: string): Pick<AgentSpan, "failed" | "errorType"> {
  return { failed: true, errorType };
}
