/**
 * Records the requests that a plain `node:http` server serves, by wrapping its
 * listener. Such a server has no routes, so the caller lists the patterns that
 * may become labels.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { checkFunction, refuseOption } from "../option.ts";
import {
  createServedRecorder,
  finishWithAnswer,
  type ServedOptions,
  UNMATCHED_ROUTE,
} from "./served-request.ts";

export type NodeHttpMetricsOptions = ServedOptions<IncomingMessage> & {
  /** Such as `/agents/:name` and `/files/*`; the first that fits is the label. */
  readonly routes?: readonly string[];
};

/** What the listener returns or throws is passed on: what is not caught anywhere stays so. */
export function nodeHttpMetrics<Result>(
  listener: (request: IncomingMessage, response: ServerResponse) => Result,
  options: NodeHttpMetricsOptions,
): (request: IncomingMessage, response: ServerResponse) => Result {
  checkFunction("the listener", listener);
  const recorder = createServedRecorder(options);
  const { routes = [] } = options;
  if (!Array.isArray(routes))
    refuseOption("routes", routes, 'Give a list such as ["/agents/:name"].');
  const patterns = routes.map((route) => ({ route, matches: routeMatcher(route) }));

  return (request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    const served = recorder.start(request, {
      method: request.method ?? "",
      traceparent: request.headers.traceparent,
      route: () => patterns.find(({ matches }) => matches(path))?.route ?? UNMATCHED_ROUTE,
    });
    finishWithAnswer(served, response);

    const failed = (error: unknown): never => {
      served.finish({ outcome: "handler_error", statusCode: 500 });
      throw error;
    };
    try {
      const result = listener(request, response);
      // A promise of the same result, which rejects with the same error.
      return result instanceof Promise ? (result.catch(failed) as Result) : result;
    } catch (error) {
      return failed(error);
    }
  };
}

/** Segment by segment: `:name` takes any one, a last `*` all the rest. */
function routeMatcher(route: string): (path: string) => boolean {
  const wanted = route.split("/");
  const isOpen = wanted.at(-1) === "*";
  if (isOpen) wanted.pop();

  return (path) => {
    const segments = path.split("/");
    const fitsLength = isOpen ? segments.length > wanted.length : segments.length === wanted.length;
    return (
      fitsLength &&
      wanted.every((part, index) => {
        const segment = segments[index];
        return part.startsWith(":") ? segment !== "" : segment === part;
      })
    );
  };
}
