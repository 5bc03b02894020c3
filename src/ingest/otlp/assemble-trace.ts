/**
 * Turns the spans of one closed trace into signals: the request, the calls
 * inside it, and its failures. Pure, and the same for any order of spans.
 */
import type { ClosedTrace } from "../../signals/closed-trace.ts";
import { addCosts, type Cost, costUsdOf, unknownCost, unpricedCall } from "../../signals/cost.ts";
import type { ErrorClass } from "../../signals/error-class.ts";
import type { ErrorEvent } from "../../signals/error-event.ts";
import { fingerprint } from "../../signals/fingerprint.ts";
import {
  emptyPriceBook,
  type ModelName,
  type PriceBook,
  priceOf,
} from "../../signals/price-book.ts";
import type { CacheOutcome, ModuleCall, Request, Tokens } from "../../signals/request.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { addTokens } from "../../signals/tokens.ts";
import { signatureIn } from "./agent-span.ts";
import { errorClassOf } from "./error-class-of.ts";

/**
 * @param spans of one trace, each span id once, at least one.
 * @param book prices the model calls whose cost telemetry does not tell.
 */
export function assembleTrace(
  spans: readonly AgentSpan[],
  book: PriceBook = emptyPriceBook,
): ClosedTrace {
  const { tops, orphanTops } = growTree(spans);
  const roots = tops.filter(({ span }) => span.parentSpanId === null);
  const incomplete = roots.length === 0;
  // Without a root, everything that did arrive is one request.
  const trees = incomplete ? [orphanTops] : roots.map((root) => [root]);
  const orphans = incomplete ? [] : orphanTops;

  const requests: Request[] = [];
  const moduleCalls: ModuleCall[] = [];
  const errors: ErrorEvent[] = [];
  for (const tree of trees) {
    const program = programOf(tree, incomplete);
    const failures = tree.flatMap((top) => failuresOf(top));
    const toldCalls = tree.flatMap((top) => callsOf(top, program, book));
    const totalCost = totalCostOf(tree, toldCalls, book);
    const calls = totalCost === unpricedCall ? toldCalls.map(unpriced) : toldCalls;
    if (incomplete || isProgram(tree)) {
      requests.push(requestOf({ tree, program, failures, calls, totalCost, incomplete }));
    }
    moduleCalls.push(...calls);
    errors.push(...failures.map((failure) => errorEventOf(failure, program)));
  }
  for (const orphan of orphans) {
    const program = programOf([orphan], true);
    moduleCalls.push(...callsOf(orphan, program, book));
    // The root is there and says how the request ended, so what failed here was survived or is told above.
    const failures = failuresOf(orphan).map(({ node }) => ({ node, handled: true }));
    errors.push(...failures.map((failure) => errorEventOf(failure, program)));
  }
  const [first] = spans;
  const main = trees[0]?.[0]?.span ?? first;
  return {
    traceId: main?.traceId ?? "",
    endpoint: main?.endpoint ?? "unknown",
    convention: spans.find(({ convention }) => convention !== "none")?.convention ?? "none",
    requests,
    moduleCalls,
    errors,
    orphanSpans: orphans.length,
  };
}

/** A span with the calls inside it. Spans that repeat their parent, or are no calls, are folded into it. */
type Node = {
  readonly span: AgentSpan;
  readonly name: string;
  readonly children: Node[];
  /** Attempts of a model call: the model calls right inside it. */
  readonly attempts: Node[];
  /** Of a model call. An attempt that names no model is one of the model that was called. */
  readonly model: ModelName;
  parent: Node | null;
  /** The deepest call that its failure comes from, once `causeOf` has looked. */
  cause: Node | null;
};

function nodeOf(span: AgentSpan): Node {
  const nothingInside = { children: [], attempts: [], parent: null, cause: null };
  return { span, name: span.name, model: span, ...nothingInside };
}

function growTree(spans: readonly AgentSpan[]): { tops: Node[]; orphanTops: Node[] } {
  const ordered = [...spans].sort(
    (a, b) => a.startMs - b.startMs || b.endMs - a.endMs || (a.spanId < b.spanId ? -1 : 1),
  );
  const nodes = new Map<string, Node>();
  for (const span of ordered) {
    nodes.set(span.spanId, nodeOf(span));
  }
  const tops: Node[] = [];
  for (const node of nodes.values()) {
    const parent = nodes.get(node.span.parentSpanId ?? "");
    if (parent && parent !== node) {
      node.parent = parent;
      parent.children.push(node);
    } else {
      tops.push(node);
    }
  }
  breakCircles(nodes, tops);
  const folded = tops.map(fold);
  return {
    tops: folded,
    orphanTops: folded.filter(({ span }) => span.parentSpanId !== null),
  };
}

/** Parents in a circle hang below no top: the earliest span of each circle becomes one. */
function breakCircles(nodes: ReadonlyMap<string, Node>, tops: Node[]): void {
  const reached = new Set<Node>();
  const reach = (top: Node) => {
    const stack = [top];
    for (let node = stack.pop(); node; node = stack.pop()) {
      reached.add(node);
      stack.push(...node.children);
    }
  };
  for (const top of tops) reach(top);
  for (const node of nodes.values()) {
    if (reached.has(node)) continue;
    const siblings = node.parent?.children ?? [];
    siblings.splice(siblings.indexOf(node), 1);
    node.parent = null;
    tops.push(node);
    reach(node);
  }
}

function fold(top: Node): Node {
  const folded = nodeOf(top.span);
  // An explicit stack: traces may be deeper than the call stack.
  const work: { readonly from: Node; readonly to: Node }[] = [{ from: top, to: folded }];
  for (let step = work.pop(); step; step = work.pop()) {
    for (const child of step.from.children) {
      // A span of somebody else's between two calls of the agent: look through it.
      if (child.span.kind === "other") {
        work.push({ from: child, to: step.to });
        continue;
      }
      if (child.span.repeatsParent && step.to.span.kind === "module") {
        const target = step.to as { name: string };
        if (signatureIn(child.span.name)) target.name = child.span.name;
        work.push({ from: child, to: step.to });
        continue;
      }
      const isAttempt = child.span.kind === "lm" && step.to.span.kind === "lm";
      const model = isAttempt && child.span.model === null ? step.to.model : child.span;
      const copy: Node = { ...nodeOf(child.span), model, parent: step.to };
      (isAttempt ? step.to.attempts : step.to.children).push(copy);
      work.push({ from: child, to: copy });
    }
  }
  sortTree(folded);
  return folded;
}

/** Folding may mix children of a span with those of its repetition: order them again. */
function sortTree(top: Node): void {
  for (const { node } of walk(top)) {
    node.children.sort((a, b) => a.span.startMs - b.span.startMs);
  }
}

function* walk(top: Node): Generator<{ node: Node; depth: number }> {
  const stack = [{ node: top, depth: 0 }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    yield next;
    for (let index = next.node.children.length - 1; index >= 0; index--) {
      const node = next.node.children[index];
      if (node) stack.push({ node, depth: next.depth + 1 });
    }
  }
}

/** A module, or the HTTP edge around something of an agent: a probe of `/health` is no call of it. */
function isProgram(tree: readonly Node[]): boolean {
  return tree.some((top) => {
    if (top.span.kind !== "server") return top.span.kind === "module";
    for (const { node } of walk(top)) if (node.span.kind !== "server") return true;
    return false;
  });
}

/** Without its root only telemetry that names the program on every span tells which it was. */
function programOf(tree: readonly Node[], rootIsMissing: boolean): string {
  for (const top of tree) {
    for (const { node } of walk(top)) {
      const { kind, path, program } = node.span;
      if (kind === "module" && (!rootIsMissing || path !== null)) return program ?? node.span.name;
    }
  }
  return rootIsMissing ? "unknown" : (tree[0]?.span.name ?? "unknown");
}

// ─── The request ────────────────────────────────────────────────────────────

function requestOf({
  tree,
  program,
  failures,
  calls,
  totalCost,
  incomplete,
}: {
  tree: readonly Node[];
  program: string;
  failures: readonly Failure[];
  calls: readonly ModuleCall[];
  totalCost: Cost | null;
  incomplete: boolean;
}): Request {
  const spans = tree.map(({ span }) => span);
  const first = spans[0] as AgentSpan; // a tree has at least one top
  const startMs = Math.min(...spans.map((span) => span.startMs));
  const endMs = Math.max(...spans.map((span) => span.endMs));
  const lmCalls = calls.filter(({ kind }) => kind === "lm");
  const cause = failures.findLast(({ handled }) => !handled);
  return {
    eventId: eventId(first),
    traceId: first.traceId,
    timeMs: endMs,
    endpoint: first.endpoint,
    modelVersion: first.modelVersion,
    release: spans.find(({ release }) => release)?.release ?? null,
    program,
    latencyMs: endMs - startMs,
    firstTokenMs: firstTokenOf(tree, startMs),
    tokens: sumTokens(lmCalls.map(({ tokens }) => tokens)) ?? totalTokensOf(tree),
    cost:
      totalCost === null || totalCost === unpricedCall
        ? sumCosts(lmCalls.map(({ cost }) => cost))
        : totalCost,
    cache: cacheOf(lmCalls),
    cacheHits: lmCalls.some(({ cache }) => cache !== "unknown")
      ? lmCalls.filter(({ cache }) => cache === "hit").length
      : null,
    errorClass: cause ? classOf(cause.node) : null,
    incomplete,
  };
}

function cacheOf(lmCalls: readonly ModuleCall[]): CacheOutcome {
  if (lmCalls.some(({ cache }) => cache === "miss")) return "miss";
  return lmCalls.length > 0 && lmCalls.every(({ cache }) => cache === "hit") ? "hit" : "unknown";
}

/** The total that the topmost span tells: totals further down are part of it. */
function totalTokensOf(tree: readonly Node[]): Tokens | null {
  const found: Tokens[] = [];
  const queue = [...tree];
  for (let node = queue.shift(); node; node = queue.shift()) {
    if (node.span.totalTokens) found.push(node.span.totalTokens);
    else queue.push(...node.children);
  }
  return sumTokens(found);
}

function firstTokenOf(tree: readonly Node[], startMs: number): number | null {
  let first: number | null = null;
  for (const top of tree) {
    for (const { node } of walk(top)) {
      if (node.span.firstTokenMs === null) continue;
      const sinceStartMs = node.span.startMs - startMs + node.span.firstTokenMs;
      if (first === null || sinceStartMs < first) first = sinceStartMs;
    }
  }
  return first;
}

// ─── The calls inside ───────────────────────────────────────────────────────

const placed: ReadonlySet<string> = new Set(["module", "tool", "retriever"]);

function callsOf(top: Node, program: string, book: PriceBook): ModuleCall[] {
  const calls: ModuleCall[] = [];
  const placeOf = new Map<Node, Node>();
  for (const { node, depth } of walk(top)) {
    const above = node.parent ? placeOf.get(node.parent) : undefined;
    const place = placed.has(node.span.kind) ? node : (above ?? node);
    placeOf.set(node, place);
    if (node.span.kind !== "server" && node.span.kind !== "other") {
      calls.push(callOf({ node, place, depth, program, book }));
    }
  }
  return calls;
}

function callOf({
  node,
  place,
  depth,
  program,
  book,
}: {
  node: Node;
  place: Node;
  depth: number;
  program: string;
  book: PriceBook;
}): ModuleCall {
  const { span, attempts } = node;
  const isLm = span.kind === "lm";
  return {
    eventId: eventId(span),
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: node.parent?.span.spanId ?? span.parentSpanId,
    timeMs: span.endMs,
    endpoint: span.endpoint,
    modelVersion: span.modelVersion,
    kind: span.kind as ModuleCall["kind"], // callsOf leaves the other kinds out
    program: span.program ?? program,
    path: place.span.path ?? place.name,
    predictorHash: span.predictorHash,
    pathSource: place.span.path === null ? "span" : "attribute",
    model: isLm ? span.model : null,
    latencyMs: span.endMs - span.startMs,
    selfMs: selfMsOf(node),
    tokens: isLm ? tokensOf(node) : null,
    cost: isLm ? costOf(node, book) : unknownCost,
    cache: span.cacheHit === null ? "unknown" : span.cacheHit ? "hit" : "miss",
    errorClass: span.failed ? classOf(node) : null,
    depth,
    retries: isLm && attempts.length > 0 ? attempts.filter((a) => a.span.failed).length : null,
  };
}

/** Attempts, such as LiteLLM's, tell the usage only where the call around them does not. */
function tokensOf(call: Node): Tokens | null {
  return attemptsFirst<Tokens | null>(call, ({ span }, ofAttempts) => {
    return span.tokens ?? sumTokens(ofAttempts);
  });
}

/** Works something out of a model call and what came out for its attempts. They may be nested deeper than the call stack. */
function attemptsFirst<T>(top: Node, workOut: (call: Node, ofAttempts: readonly T[]) => T): T {
  const calls = [top];
  for (const call of calls) calls.push(...call.attempts);
  const found = new Map<Node, T>();
  const of = (call: Node): T => found.get(call) as T; // callers come before their attempts
  for (const call of calls.reverse()) found.set(call, workOut(call, call.attempts.map(of)));
  return of(top);
}

/** Latency without the union of the children's intervals: children may overlap. */
function selfMsOf({ span, children }: Node): number {
  let coveredMs = 0;
  let untilMs = span.startMs;
  for (const { span: child } of children) {
    const fromMs = Math.max(child.startMs, untilMs);
    const toMs = Math.min(child.endMs, span.endMs);
    if (toMs > fromMs) {
      coveredMs += toMs - fromMs;
      untilMs = toMs;
    }
  }
  return Math.max(0, span.endMs - span.startMs - coveredMs);
}

// ─── What it cost ───────────────────────────────────────────────────────────

/** What telemetry tells wins over the price book, and what the call tells over its attempts. */
function costOf(call: Node, book: PriceBook): Cost {
  return attemptsFirst<Cost>(call, ({ span, model }, costsOfAttempts) => {
    if (span.costUsd !== null) {
      return { ...unknownCost, toldUsd: span.costUsd, savedUsd: span.savedCostUsd };
    }
    const ofAttempts = sumCosts(costsOfAttempts);
    if (span.tokens === null || ofAttempts.toldUsd !== null) return ofAttempts;
    return pricedCost(model, span.tokens, { timeMs: span.endMs, book });
  });
}

function pricedCost(
  model: ModelName,
  tokens: Tokens,
  { timeMs, book }: { timeMs: number; book: PriceBook },
): Cost {
  if (tokens.input + tokens.output === 0) return { ...unknownCost, pricedUsd: 0 };
  const pricing = priceOf(book, model, tokens, timeMs);
  return pricing.kind === "priced" ? { ...unknownCost, pricedUsd: pricing.usd } : unpricedCall;
}

/**
 * Where only the total of a request is told, as by MLflow, it is priced when all calls
 * were of one model: the total costs what its parts do. `null` where the calls
 * themselves tell, or the total can't be divided among models.
 */
function totalCostOf(
  tree: readonly Node[],
  calls: readonly ModuleCall[],
  book: PriceBook,
): Cost | null {
  const isTold = calls.some(({ tokens, cost }) => tokens !== null || costUsdOf(cost) !== null);
  const tokens = isTold ? null : totalTokensOf(tree);
  if (tokens === null) return null;
  const models = new Map<string, ModelName>();
  for (const top of tree) {
    for (const { node } of walk(top)) {
      const { kind, provider, model } = node.span;
      if (kind === "lm") models.set(`${provider} ${model}`, node.span);
    }
  }
  const [model] = models.values();
  if (!model || models.size > 1) return null;
  const timeMs = Math.max(...tree.map(({ span }) => span.endMs));
  return pricedCost(model, tokens, { timeMs, book });
}

function unpriced(call: ModuleCall): ModuleCall {
  return call.kind === "lm" ? { ...call, cost: unpricedCall } : call;
}

// ─── Failures ───────────────────────────────────────────────────────────────

/** One failure, at the deepest call that has it. */
type Failure = { readonly node: Node; readonly handled: boolean };

/**
 * One failure passes through all its callers. It is told once, at its deepest
 * call. A tool, module or retriever that failed while its caller went on is a
 * failure of its own, handled. Failed attempts and adapter fallbacks of a call
 * that failed in the end belong to that failure.
 */
function failuresOf(top: Node): Failure[] {
  const failures: Failure[] = [];
  const work: Node[] = [top];
  for (let node = work.shift(); node; node = work.shift()) {
    if (!node.span.failed) {
      // The agent itself tells of a failure that the call survived, such as a loop at its last step.
      if (node.span.errorClass) failures.push({ node, handled: true });
      work.push(...inside(node));
      continue;
    }
    // Follow the failure down to its cause, setting aside what failed beside it.
    let cause = node;
    for (let deeper: Node | null = node; deeper; ) {
      cause = deeper;
      const next: Node | null = reasonWithin(cause);
      for (const inner of inside(cause)) {
        if (inner === next) continue;
        if (!inner.span.failed || placed.has(inner.span.kind)) work.push(inner);
      }
      deeper = next;
    }
    failures.push({ node: cause, handled: node !== top });
  }
  return failures;
}

function inside({ children, attempts }: Node): Node[] {
  return [...children, ...attempts];
}

/** The call inside a failed call that made it fail; `null` when the failure is its own. */
function reasonWithin(node: Node): Node | null {
  const calls = inside(node);
  const wentOnMs = lastSuccessMs(calls);
  // What its caller went on from to another call, with success, is not why it failed.
  const failed = calls
    .filter(({ span }) => span.failed && span.endMs > wentOnMs)
    .sort((a, b) => a.span.endMs - b.span.endMs);
  const { span } = node;
  const sameMessage = failed.findLast(
    ({ span: { errorMessage } }) => errorMessage !== null && errorMessage === span.errorMessage,
  );
  const sameType = failed.findLast((call) => bareType(call.span) === bareType(span));
  // The failure of a tool or retriever that its caller did not pass on was swallowed.
  const other = failed.findLast(({ span: { kind } }) => kind !== "tool" && kind !== "retriever");
  return sameMessage ?? sameType ?? other ?? null;
}

/** When the last call began that succeeded. */
function lastSuccessMs(calls: readonly Node[]): number {
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const { span } of calls) {
    if (!span.failed && span.kind !== "adapter") lastMs = Math.max(lastMs, span.startMs);
  }
  return lastMs;
}

/** DSPy wraps a provider's `RateLimitError` as `LMRateLimitError`: the same failure. */
function bareType({ errorType }: AgentSpan): string {
  return (errorType ?? "unknown").replace(/^LM(?=[A-Z])/, "");
}

function classOf(node: Node): ErrorClass {
  return errorClassOf(causeOf(node).span);
}

/** Remembered by all calls on the way: each of them may be asked. */
function causeOf(node: Node): Node {
  const way: Node[] = [];
  let cause = node;
  for (let next: Node | null = node; next && !cause.cause; ) {
    cause = next;
    way.push(cause);
    next = cause.span.failed ? reasonWithin(cause) : null;
  }
  const deepest = cause.cause ?? cause;
  for (const call of way) call.cause = deepest;
  return deepest;
}

function errorEventOf({ node, handled }: Failure, program: string): ErrorEvent {
  let place = node;
  while (!placed.has(place.span.kind) && place.parent) place = place.parent;
  const { span } = node;
  const failure = {
    endpoint: span.endpoint,
    type: span.errorType ?? "unknown",
    errorClass: errorClassOf(span),
    path: place.span.path ?? place.name,
    message: span.errorMessage ?? "",
  };
  return {
    ...failure,
    eventId: eventId(span),
    traceId: span.traceId,
    timeMs: span.endMs,
    modelVersion: span.modelVersion,
    severity: handled ? "warning" : "error",
    handled,
    program: span.program ?? program,
    group: fingerprint(failure),
  };
}

// ─── Small sums ─────────────────────────────────────────────────────────────

function eventId({ traceId, spanId }: AgentSpan): string {
  return `${traceId}:${spanId}`;
}

function sumTokens(values: readonly (Tokens | null)[]): Tokens | null {
  return values.reduce(addTokens, null);
}

function sumCosts(values: readonly Cost[]): Cost {
  return values.reduce(addCosts, unknownCost);
}
