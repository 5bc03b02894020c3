/**
 * Records the requests that a Hono app serves; the first middleware of the app.
 * Under Node's server an answer is followed to its last byte on the connection,
 * elsewhere (`app.request`, Bun, Workers) to the end of its body.
 */
import { observeBody } from "./observed-body.ts";
import {
  createServedRecorder,
  finishWithAnswer,
  type OutgoingAnswer,
  type ServedOptions,
  type ServedRequest,
  UNMATCHED_ROUTE,
} from "./served-request.ts";

/**
 * The part of Hono's `Context` that is used. Written out, so that a service's own version
 * of Hono fits, whichever it is: the types of two versions are not one another's.
 */
export type HonoContext = {
  readonly req: {
    readonly method: string;
    readonly raw: Request;
    readonly matchedRoutes: readonly { readonly method: string; readonly path: string }[];
    header(name: string): string | undefined;
  };
  readonly env: unknown;
  res: Response;
};

/** @throws MonitorError `CONFIG_INVALID` for an option that makes no sense. */
export function honoMetrics<Context extends HonoContext>(
  options: ServedOptions<Context>,
): (context: Context, next: () => Promise<void>) => Promise<void> {
  const recorder = createServedRecorder(options);

  return async (context, next) => {
    const served = recorder.start(context, {
      method: context.req.method,
      traceparent: context.req.header("traceparent"),
      route: () => routeOf(context),
    });
    const outgoing = outgoingOf(context);
    if (outgoing) finishWithAnswer(served, outgoing);
    try {
      await next();
    } catch (error) {
      // Hono itself answers what is thrown as an `Error`; this is anything else.
      served.finish({ outcome: "handler_error", statusCode: 500 });
      throw error;
    }
    if (!outgoing) recorder.guard.run(() => finishWithBody(served, context));
  };
}

function finishWithBody(served: ServedRequest, context: HonoContext): void {
  const { body, status: statusCode } = context.res;
  if (body === null || body.locked) {
    served.finish({ outcome: "completed", statusCode });
    return;
  }
  const { signal } = context.req.raw;
  const abort = () => served.finish({ outcome: "aborted", statusCode });
  signal.addEventListener("abort", abort, { once: true });
  const done = (finish: () => void) => () => {
    signal.removeEventListener("abort", abort);
    finish();
  };
  const passing = observeBody(body, {
    onPiece: () => {},
    onEnd: done(() => served.finish({ outcome: "completed", statusCode })),
    onError: done(() => served.finish({ outcome: "handler_error", statusCode: 500 })),
    onCancel: done(abort),
  });
  context.res = new Response(passing, context.res);
}

/**
 * The pattern of the route that answered, or would have: middleware stands before it.
 * The request itself is asked, not `hono/route`: that one knows only the requests of its
 * own copy of Hono, and a service may have installed another.
 */
function routeOf(context: HonoContext): string {
  const routes = context.req.matchedRoutes;
  const route = routes.findLast(({ method }) => method !== "ALL") ?? routes.at(-1);
  return route === undefined || /^\/?\*$/.test(route.path) ? UNMATCHED_ROUTE : route.path;
}

function outgoingOf(context: HonoContext): OutgoingAnswer | undefined {
  const { env } = context;
  if (typeof env !== "object" || env === null || !("outgoing" in env)) return undefined;
  const { outgoing } = env;
  const isNodes =
    typeof outgoing === "object" &&
    outgoing !== null &&
    "once" in outgoing &&
    "writableFinished" in outgoing &&
    "headersSent" in outgoing;
  // Node's own server puts its `ServerResponse` there; the fields that are used were looked for.
  return isNodes ? (outgoing as OutgoingAnswer) : undefined;
}
