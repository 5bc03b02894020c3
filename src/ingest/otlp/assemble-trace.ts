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
import type { ModuleCall, Request, Tokens } from "../../signals/request.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { addTokens } from "../../signals/tokens.ts";
import { signatureIn } from "./agent-span.ts";
import { errorClassOf } from "./error-class-of.ts";
import { remembering } from "./remembering.ts";

/**
 * @param spans of one trace, each span id once, at least one.
 * @param book prices the model calls whose cost telemetry does not tell.
 */
export function assembleTrace(
  spans: readonly AgentSpan[],
  book: PriceBook = emptyPriceBook,
): ClosedTrace {
  const tops = growTrees(spans);
  const trees = tops.filter(isRoot).map((root) => treeOf([root]));
  const orphanTops = trees.length === tops.length ? [] : tops.filter((top) => !isRoot(top));
  const incomplete = trees.length === 0;
  // Without a root, everything that did arrive is one request.
  if (incomplete) trees.push(treeOf(orphanTops));
  const orphans = incomplete ? [] : orphanTops;
  // Few traces hold one, and looking for its cause is the longest way through a tree.
  const isTroubled = spans.some(({ failed, errorClass }) => failed || errorClass !== null);

  const requests: Request[] = [];
  const moduleCalls: ModuleCall[] = [];
  const errors: ErrorEvent[] = [];
  for (const tree of trees) {
    const program = programOf(tree, incomplete);
    const release = releaseOf(tree);
    const failures = isTroubled ? tree.tops.flatMap((top) => failuresOf(top)) : [];
    const toldCalls = callsOf(tree, { program, release, book });
    const totalCost = totalCostOf(tree, toldCalls, book);
    const calls = totalCost === unpricedCall ? toldCalls.map(unpriced) : toldCalls;
    if (incomplete || isProgram(tree)) {
      requests.push(requestOf({ tree, program, release, failures, calls, totalCost, incomplete }));
    }
    for (const call of calls) moduleCalls.push(call);
    for (const failure of failures) errors.push(errorEventOf(failure, program));
  }
  // What lost its parent was called in the request there is; which of several is not known.
  const [only, ...others] = trees;
  const release = only && others.length === 0 ? releaseOf(only) : null;
  for (const orphan of orphans) {
    const tree = treeOf([orphan]);
    const program = programOf(tree, true);
    for (const call of callsOf(tree, { program, release, book })) moduleCalls.push(call);
    // The root is there and says how the request ended, so what failed here was survived or is told above.
    const failures = isTroubled ? failuresOf(orphan) : [];
    for (const { node } of failures) errors.push(errorEventOf({ node, handled: true }, program));
  }
  const [first] = spans;
  const main = trees[0]?.tops[0]?.span ?? first;
  return {
    traceId: main?.traceId ?? "",
    endpoint: main?.endpoint ?? "unknown",
    convention: spans.find(({ convention }) => convention !== "none")?.convention ?? "none",
    requests,
    moduleCalls,
    errors,
    spans: spans.length,
    orphanSpans: orphanTops.length,
  };
}

// ─── Trees ──────────────────────────────────────────────────────────────────

/** Shared by the very many that have none. Never pushed to: see `added`. */
const none: Node[] = [];

/** A span with the calls inside it. Spans that repeat their parent, or are no calls, are folded into it. */
class Node {
  readonly span: AgentSpan;
  name: string;
  parent: Node | null = null;
  depth = 0;
  children = none;
  /** Attempts of a model call: the model calls right inside it. */
  attempts = none;
  /** Of a model call. An attempt that names no model is one of the model that was called. */
  model: ModelName;
  /** The module, tool or retriever that it is, or that made it; itself where there is none. */
  place: Node = this;
  /** The deepest call that its failure comes from, once `causeOf` has looked. */
  cause: Node | null = null;

  // The spans as they are nested, before anything is folded: the first span inside, and
  // the next one beside. No arrays, since most spans have none inside.
  inner: Node | null = null;
  next: Node | null = null;
  /** Where the spans inside it are put: itself, or what it is folded into. */
  into: Node = this;

  constructor(span: AgentSpan) {
    this.span = span;
    this.name = span.name;
    this.model = span;
  }
}

function added(nodes: Node[], node: Node): Node[] {
  if (nodes === none) return [node];
  nodes.push(node);
  return nodes;
}

function isRoot({ span }: Node): boolean {
  return span.parentSpanId === null;
}

/** The topmost calls, with all others inside them. */
function growTrees(spans: readonly AgentSpan[]): Node[] {
  const nodes = inOrder(spans);
  const byId = nodes.length > SHORT ? new Map(nodes.map((node) => [node.span.spanId, node])) : null;
  const tops: Node[] = [];
  // Backwards, since each is put in front of those that are already inside its parent.
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index] as Node; // the index is inside
    const { parentSpanId } = node.span;
    const parent = byId ? byId.get(parentSpanId ?? "") : withId(nodes, parentSpanId);
    if (parent && parent !== node) {
      node.parent = parent;
      node.next = parent.inner;
      parent.inner = node;
    } else {
      tops.push(node);
    }
  }
  tops.reverse();
  let folded = 0;
  for (const top of tops) folded += fold(top);
  if (folded < nodes.length) breakCircles(nodes, tops);
  return tops;
}

/** Short enough to be put in order and searched through by hand, in half the time of sorting and looking up. */
const SHORT = 32;

function withId(nodes: readonly Node[], spanId: string | null): Node | undefined {
  if (spanId === null) return undefined;
  for (const node of nodes) if (node.span.spanId === spanId) return node;
  return undefined;
}

/** By when they began, callers first. */
function inOrder(spans: readonly AgentSpan[]): Node[] {
  const nodes = spans.map((span) => new Node(span));
  if (nodes.length > SHORT) return nodes.sort((a, b) => (isBefore(a.span, b.span) ? -1 : 1));
  for (let index = 1; index < nodes.length; index++) {
    const node = nodes[index] as Node; // the index is inside
    let place = index;
    for (; place > 0; place--) {
      const other = nodes[place - 1] as Node; // the index is inside
      if (isBefore(other.span, node.span)) break;
      nodes[place] = other;
    }
    nodes[place] = node;
  }
  return nodes;
}

function isBefore(one: AgentSpan, other: AgentSpan): boolean {
  if (one.startMs !== other.startMs) return one.startMs < other.startMs;
  if (one.endMs !== other.endMs) return one.endMs > other.endMs;
  return one.spanId < other.spanId;
}

/** Parents in a circle hang below no top: the earliest span of each circle becomes one. */
function breakCircles(nodes: readonly Node[], tops: Node[]): void {
  const reached = new Set<Node>();
  const reach = (top: Node) => {
    const stack = [top];
    for (let node = stack.pop(); node; node = stack.pop()) {
      reached.add(node);
      for (let inner = node.inner; inner; inner = inner.next) stack.push(inner);
    }
  };
  for (const top of tops) reach(top);
  for (const node of nodes) {
    if (reached.has(node)) continue;
    takeOut(node);
    tops.push(node);
    reach(node);
    fold(node);
  }
}

/** Out of its parent, before anything of it is folded. */
function takeOut(node: Node): void {
  const parent = node.parent;
  if (parent?.inner === node) parent.inner = node.next;
  for (let other = parent?.inner; other; other = other.next) {
    if (other.next === node) other.next = node.next;
  }
  node.parent = null;
  node.next = null;
}

/** Puts every span below into the call that it belongs to. Returns how many there are, with the top. */
function fold(top: Node): number {
  let count = 0;
  // An explicit stack: traces may be deeper than the call stack.
  const work: Node[] = [top];
  const mixed: Node[] = [];
  for (let from = work.pop(); from; from = work.pop()) {
    count++;
    const to = from.into;
    if (from.inner && to !== from) mixed.push(to);
    for (let inner = from.inner; inner; inner = inner.next) {
      const { span } = inner;
      work.push(inner);
      // A span of somebody else's between two calls of the agent: look through it.
      if (span.kind === "other") {
        inner.into = to;
      } else if (span.repeatsParent && to.span.kind === "module") {
        inner.into = to;
        if (signatureIn(span.name)) to.name = span.name;
      } else {
        inner.parent = to;
        if (span.kind === "lm" && to.span.kind === "lm") {
          if (span.model === null) inner.model = to.model;
          to.attempts = added(to.attempts, inner);
        } else {
          to.children = added(to.children, inner);
        }
      }
    }
  }
  // Folding may mix children of a span with those of its repetition: order them again.
  for (const { children } of mixed) children.sort((a, b) => a.span.startMs - b.span.startMs);
  return count;
}

/** One request, or what is left of one. */
type Tree = {
  /** At least one. */
  readonly tops: readonly Node[];
  /** Every call below the tops and these: a caller before what it calls. Without attempts. */
  readonly nodes: readonly Node[];
};

function treeOf(tops: readonly Node[]): Tree {
  const nodes: Node[] = [];
  const stack: Node[] = [];
  for (const top of tops) {
    stack.push(top);
    for (let node = stack.pop(); node; node = stack.pop()) {
      nodes.push(node);
      const { children, parent } = node;
      if (parent && !isPlaced(node.span.kind)) node.place = parent.place;
      for (let index = children.length - 1; index >= 0; index--) {
        const child = children[index] as Node; // the index is inside
        child.depth = node.depth + 1;
        stack.push(child);
      }
    }
  }
  return { tops, nodes };
}

/** A module, or the HTTP edge around something of an agent: a probe of `/health` is no call of it. */
function isProgram({ tops, nodes }: Tree): boolean {
  return tops.some(({ span }) =>
    span.kind === "server"
      ? nodes.some(({ span }) => span.kind !== "server")
      : span.kind === "module",
  );
}

/** Without its root only telemetry that names the program on every span tells which it was. */
function programOf({ tops, nodes }: Tree, rootIsMissing: boolean): string {
  for (const { span } of nodes) {
    if (span.kind === "module" && (!rootIsMissing || span.path !== null)) {
      return span.program ?? span.name;
    }
  }
  return rootIsMissing ? "unknown" : (tops[0]?.span.name ?? "unknown");
}

function releaseOf({ tops }: Tree): string | null {
  return tops.find(({ span }) => span.release !== null)?.span.release ?? null;
}

// ─── The request ────────────────────────────────────────────────────────────

function requestOf({
  tree,
  program,
  release,
  failures,
  calls,
  totalCost,
  incomplete,
}: {
  tree: Tree;
  program: string;
  release: string | null;
  failures: readonly Failure[];
  calls: readonly ModuleCall[];
  totalCost: Cost | null;
  incomplete: boolean;
}): Request {
  const { tops } = tree;
  const { span: first } = tops[0] as Node; // a tree has at least one top
  let { startMs, endMs } = first;
  for (const { span } of tops) {
    startMs = Math.min(startMs, span.startMs);
    endMs = Math.max(endMs, span.endMs);
  }
  const cause = failures.findLast(({ handled }) => !handled);
  const models = sumOfModelCalls(calls);
  return {
    eventId: eventId(first),
    traceId: first.traceId,
    timeMs: endMs,
    endpoint: first.endpoint,
    modelVersion: first.modelVersion,
    release,
    program,
    latencyMs: endMs - startMs,
    firstTokenMs: firstTokenOf(tree, startMs),
    tokens: models.tokens ?? totalTokensOf(tree),
    cost: totalCost === null || totalCost === unpricedCall ? models.cost : totalCost,
    cache:
      models.misses > 0
        ? "miss"
        : models.count > 0 && models.hits === models.count
          ? "hit"
          : "unknown",
    cacheHits: models.hits + models.misses > 0 ? models.hits : null,
    errorClass: cause ? classOf(cause.node) : null,
    incomplete,
  };
}

function sumOfModelCalls(calls: readonly ModuleCall[]) {
  const sum = {
    count: 0,
    hits: 0,
    misses: 0,
    tokens: null as Tokens | null,
    cost: unknownCost,
  };
  for (const { kind, tokens, cost, cache } of calls) {
    if (kind !== "lm") continue;
    sum.count++;
    if (cache === "hit") sum.hits++;
    if (cache === "miss") sum.misses++;
    sum.tokens = addTokens(sum.tokens, tokens);
    sum.cost = addCosts(sum.cost, cost);
  }
  return sum;
}

/** The total that the topmost span tells: totals further down are part of it. */
function totalTokensOf({ tops, nodes }: Tree): Tokens | null {
  if (nodes.every(({ span }) => span.totalTokens === null)) return null;
  const found: Tokens[] = [];
  const queue = [...tops];
  for (let node = queue.shift(); node; node = queue.shift()) {
    if (node.span.totalTokens) found.push(node.span.totalTokens);
    else queue.push(...node.children);
  }
  return sumTokens(found);
}

function firstTokenOf({ nodes }: Tree, startMs: number): number | null {
  let first: number | null = null;
  for (const { span } of nodes) {
    if (span.firstTokenMs === null) continue;
    const sinceStartMs = span.startMs - startMs + span.firstTokenMs;
    if (first === null || sinceStartMs < first) first = sinceStartMs;
  }
  return first;
}

// ─── The calls inside ───────────────────────────────────────────────────────

function isPlaced(kind: AgentSpan["kind"]): boolean {
  return kind === "module" || kind === "tool" || kind === "retriever";
}

/** What the calls of one request have in common. */
type Within = {
  readonly program: string;
  readonly release: string | null;
  readonly book: PriceBook;
};

function callsOf({ nodes }: Tree, within: Within): ModuleCall[] {
  const calls: ModuleCall[] = [];
  for (const node of nodes) {
    const { kind } = node.span;
    if (kind !== "server" && kind !== "other") calls.push(callOf(node, kind, within));
  }
  return calls;
}

function callOf(
  node: Node,
  kind: ModuleCall["kind"],
  { program, release, book }: Within,
): ModuleCall {
  const { span, attempts, place } = node;
  const isLm = kind === "lm";
  return {
    eventId: eventId(span),
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: node.parent?.span.spanId ?? span.parentSpanId,
    timeMs: span.endMs,
    endpoint: span.endpoint,
    modelVersion: span.modelVersion,
    release,
    kind,
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
    depth: node.depth,
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
  if (top.attempts.length === 0) return workOut(top, []);
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
function totalCostOf(tree: Tree, calls: readonly ModuleCall[], book: PriceBook): Cost | null {
  const isTold = calls.some(({ tokens, cost }) => tokens !== null || costUsdOf(cost) !== null);
  const tokens = isTold ? null : totalTokensOf(tree);
  if (tokens === null) return null;
  const models = new Map<string, ModelName>();
  for (const { span } of tree.nodes) {
    if (span.kind === "lm") models.set(`${span.provider} ${span.model}`, span);
  }
  const [model] = models.values();
  if (!model || models.size > 1) return null;
  const timeMs = Math.max(...tree.tops.map(({ span }) => span.endMs));
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
        if (!inner.span.failed || isPlaced(inner.span.kind)) work.push(inner);
      }
      deeper = next;
    }
    failures.push({ node: cause, handled: node !== top });
  }
  return failures;
}

function inside({ children, attempts }: Node): readonly Node[] {
  return attempts === none ? children : [...children, ...attempts];
}

/** The call inside a failed call that made it fail; `null` when the failure is its own. */
function reasonWithin(node: Node): Node | null {
  const calls = inside(node);
  if (!calls.some(isFailed)) return null;
  const wentOnMs = lastSuccessMs(calls);
  const wasGivenUp = isGivenUp(node);
  // What its caller went on from to another call, with success, is not why it failed. Nor is
  // a call that was given up, unless it was itself: it waited too long, or another call failed.
  const failed = calls
    .filter((call) => call.span.failed && call.span.endMs > wentOnMs)
    .filter((call) => wasGivenUp || !isGivenUp(call))
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

function isGivenUp({ span }: Node): boolean {
  return errorClassOf(span) === "client";
}

function isFailed({ span }: Node): boolean {
  return span.failed;
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
  return withoutLm(errorType ?? "unknown");
}

const withoutLm = remembering((errorType) => errorType.replace(/^LM(?=[A-Z])/, ""));

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
  while (!isPlaced(place.span.kind) && place.parent) place = place.parent;
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
