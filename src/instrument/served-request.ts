/**
 * Records one request that this process serves, once, at its end: when the
 * answer is complete, or the client is gone, or the handler has failed. What the
 * three kinds of server have in common; labels are bounded in number.
 */
import { checkOptions } from "../option.ts";
import {
  type CallClock,
  type CallMetrics,
  checkMetrics,
  createGuard,
  type Guard,
  type Labels,
  type Outcome,
  preciseClock,
  traceIdOf,
} from "./call-metrics.ts";

/** The options of all three; `Request` is what the server at hand calls a request. */
export type ServedOptions<Request> = {
  readonly metrics: CallMetrics;
  /**
   * The agent that is served. A function is for several behind one server: it must
   * answer one of a few names, never text from the address that anybody can choose.
   * Default: the route's pattern.
   */
  readonly endpointName?: string | ((request: Request) => string | undefined);
  /** Added to all that is recorded. */
  readonly labels?: Labels;
  /** Default: a clock that never jumps back. */
  readonly clock?: CallClock;
};

/** The label of a request that no route took. Its path is its client's choice, so it is no label. */
export const UNMATCHED_ROUTE = "unmatched";

/** Most routes that get a label of their own; later ones share `overflow`. */
export const ROUTES_MAX = 200;
const OVERFLOW_ROUTE = "overflow";

const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
]);

export type ServedEnd = {
  readonly outcome: Extract<Outcome, "completed" | "aborted" | "handler_error">;
  /** Undefined when none was sent. */
  readonly statusCode: number | undefined;
};

export type ServedRequest = {
  /** Only the first end counts. */
  finish(end: ServedEnd): void;
};

export type ServedRecorder<Request> = {
  /** `route` is asked at the end, when the server knows it. */
  start(
    request: Request,
    about: { readonly method: string; readonly traceparent: unknown; route(): string },
  ): ServedRequest;
  readonly guard: Guard;
};

/** @throws MonitorError `CONFIG_INVALID` for an option that makes no sense. */
export function createServedRecorder<Request>(
  options: ServedOptions<Request>,
): ServedRecorder<Request> {
  checkOptions("the middleware", options);
  const { metrics, endpointName, labels = {}, clock = preciseClock } = options;
  checkMetrics(metrics);
  const guard = createGuard();
  const routes = new Set<string>();

  function bounded(route: string): string {
    if (routes.size < ROUTES_MAX) routes.add(route);
    return routes.has(route) ? route : OVERFLOW_ROUTE;
  }

  return {
    guard,
    start(request, about) {
      const startedMs = clock.now();
      let isDone = false;
      return {
        finish({ outcome, statusCode }) {
          if (isDone) return;
          isDone = true;
          const latencyMs = clock.now() - startedMs;
          guard.run(() => {
            const route = bounded(about.route());
            const named = typeof endpointName === "function" ? endpointName(request) : endpointName;
            const method = METHODS.has(about.method) ? about.method : "OTHER";
            return metrics.recordRequest(named ?? route, {
              latencyMs,
              statusCode,
              labels: { ...labels, side: "server", method, route, outcome },
              traceId: traceIdOf(about.traceparent),
            });
          });
        },
      };
    },
  };
}

/**
 * The part of `http.ServerResponse` that is used; written out so that frameworks
 * need not be installed for their types.
 */
export type OutgoingAnswer = {
  readonly statusCode: number;
  readonly headersSent: boolean;
  readonly writableFinished: boolean;
  /** What the server destroyed the answer with. */
  readonly errored: Error | null;
  /** `null` once the connection serves the next request. */
  readonly socket: {
    readonly readableEnded: boolean;
    readonly errored: Error | null;
  } | null;
  once(event: "finish" | "close", listener: () => void): unknown;
};

/** Follows an answer of Node's own server to its end. */
export function finishWithAnswer(served: ServedRequest, answer: OutgoingAnswer): void {
  const { socket } = answer;
  answer.once("finish", () =>
    served.finish({ outcome: "completed", statusCode: answer.statusCode }),
  );
  answer.once("close", () => {
    if (answer.writableFinished) return;
    // The client closed its side, or reset the connection. If it did neither, this
    // server cut its own answer off, as frameworks do when a handler fails midway.
    const clientLeft = socket === null || socket.readableEnded || socket.errored !== null;
    if (answer.errored || !clientLeft)
      return served.finish({ outcome: "handler_error", statusCode: 500 });
    const statusCode = answer.headersSent ? answer.statusCode : undefined;
    served.finish({ outcome: "aborted", statusCode });
  });
}
