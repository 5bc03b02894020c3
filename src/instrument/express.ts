/**
 * Records the requests that an Express app serves; the first middleware of the
 * app. Express 4 and 5 have what is used here, and neither is needed for types.
 *
 * Express knows the pattern of a route, but only the raw path of the routers
 * around it (`req.baseUrl`), and forgets that on errors. So the pattern is put
 * together when the route is chosen, with parameters in place of their values.
 */
import { decodeSegment } from "./path-segment.ts";
import {
  createServedRecorder,
  finishWithAnswer,
  type OutgoingAnswer,
  type ServedOptions,
  UNMATCHED_ROUTE,
} from "./served-request.ts";

/** The part of Express's request that is used. */
export type ExpressRequest = {
  readonly method: string;
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

export function expressMetrics<Request extends ExpressRequest>(
  options: ServedOptions<Request>,
): (request: Request, response: OutgoingAnswer, next: () => void) => void {
  const recorder = createServedRecorder(options);

  return (request, response, next) => {
    let route = () => UNMATCHED_ROUTE;
    recorder.guard.run(() => {
      route = watchRoute(request);
    });
    const { method, headers } = request;
    const served = recorder.start(request, { method, traceparent: headers.traceparent, route });
    finishWithAnswer(served, response);
    next();
  };
}

/** Longest pattern that becomes a label, in UTF-16 units. */
const ROUTE_CHARS_MAX = 200;

/** Routers put `params` and `route` on the request as they go; both stay ordinary properties to all others. */
function watchRoute(request: ExpressRequest): () => string {
  /** Parameter by value, of all routers passed. */
  const names = new Map<string, string>();
  let pattern = UNMATCHED_ROUTE;

  onAssign(request, "params", (params) => {
    if (typeof params !== "object" || params === null) return;
    for (const [name, value] of Object.entries(params)) {
      const label = Array.isArray(value) ? `*${name}` : `:${name}`;
      for (const text of Array.isArray(value) ? value : [value]) names.set(String(text), label);
    }
  });
  onAssign(request, "route", (route) => {
    if (typeof route !== "object" || route === null || !("path" in route)) return;
    const base = request.baseUrl
      .split("/")
      .map((segment) => names.get(decodeSegment(segment)) ?? segment)
      .join("/");
    const path = Array.isArray(route.path) ? route.path.join("|") : String(route.path);
    pattern = (path === "/" && base !== "" ? base : base + path).slice(0, ROUTE_CHARS_MAX);
  });
  return () => pattern;
}

function onAssign(target: object, key: string, notice: (value: unknown) => void): void {
  let current: unknown = Reflect.get(target, key);
  notice(current);
  Object.defineProperty(target, key, {
    configurable: true,
    enumerable: true,
    get: () => current,
    set(value) {
      current = value;
      notice(value);
    },
  });
}
