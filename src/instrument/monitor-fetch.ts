/**
 * A drop-in `fetch` that measures calls to agents: how long until the headers,
 * the first content and the end, with which status, using how many tokens, and
 * how the calls ended that did not end well. The caller gets the answer as the
 * network gives it: streams stay streams, errors stay the errors they were.
 */
import { checkFunction, checkMethods, checkOptions } from "../option.ts";
import { type CallMeasurement, createCallMeasurement } from "./call-measurement.ts";
import {
  type CallClock,
  type CallErrors,
  type CallMetrics,
  checkMetrics,
  createGuard,
  type Guard,
  type Labels,
  preciseClock,
  traceIdOf,
} from "./call-metrics.ts";
import { endpointNameOf } from "./endpoint-name.ts";
import { type BodyObserver, observeBody } from "./observed-body.ts";

type Fetch = typeof globalThis.fetch;

export type MonitorFetchOptions = {
  readonly metrics: CallMetrics;
  /** Gets an error for each call that failed because of the agent or the way to it. */
  readonly errors?: CallErrors;
  /** Default: read from the address, see `endpointNameOf`. */
  readonly endpointName?: string;
  /** Added to all that is recorded. */
  readonly labels?: Labels;
  /** Makes the calls. Default: `globalThis.fetch`. */
  readonly fetch?: Fetch;
  /** Milliseconds. Default: a clock that never jumps back. */
  readonly clock?: CallClock;
};

export type MonitoredFetch = Fetch & {
  /** Steps of measuring that threw; the calls themselves went on undisturbed. */
  readonly lostMeasurements: number;
};

/** @throws MonitorError `CONFIG_INVALID` for an option that makes no sense. */
export function monitorFetch(options: MonitorFetchOptions): MonitoredFetch {
  checkOptions("monitorFetch", options);
  checkMetrics(options.metrics);
  if (options.errors !== undefined) {
    checkMethods("errors", options.errors, {
      methods: ["trackAgentError"],
      hint: "Give an ErrorTracker, or none.",
    });
  }
  const { fetch = globalThis.fetch, clock = preciseClock, labels = {} } = options;
  checkFunction("fetch", fetch);
  const guard = createGuard();

  /** Records calls whose answer the caller dropped without reading it to its end. */
  const dropped = new FinalizationRegistry<CallMeasurement>((measurement) =>
    guard.run(() => measurement.drop()),
  );

  function begin(input: Parameters<Fetch>[0], init: RequestInit | undefined) {
    const url = new URL(input instanceof Request ? input.url : input);
    const endpointName = options.endpointName ?? endpointNameOf(url, init?.body);
    if (endpointName === undefined) return undefined;

    const method = init?.method ?? (input instanceof Request ? input.method : "GET");
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    return createCallMeasurement({
      metrics: options.metrics,
      errors: options.errors,
      endpointName,
      labels,
      clock,
      guard,
      signal,
      traceId: readTraceId(input, init),
      hasAnswerBody: method.toUpperCase() !== "HEAD",
    });
  }

  async function monitored(...[input, init]: Parameters<Fetch>): Promise<Response> {
    let measurement: CallMeasurement | undefined;
    guard.run(() => {
      // An address that `fetch` itself refuses is no call of an agent.
      if (URL.canParse(input instanceof Request ? input.url : String(input))) {
        measurement = begin(input, init);
      }
    });

    let response: Response;
    try {
      response = await fetch(input, init);
    } catch (error) {
      guard.run(() => measurement?.[endOf(error, input, init)](error));
      throw error;
    }
    if (!measurement) return response;
    return observeAnswer(response, { measurement, dropped, guard });
  }

  return Object.defineProperty(monitored, "lostMeasurements", {
    get: () => guard.lost,
    // The property that the type adds was defined just here.
  }) as MonitoredFetch;
}

/** What a call came to that brought no answer. */
function endOf(
  error: unknown,
  input: Parameters<Fetch>[0],
  init: RequestInit | undefined,
): "forget" | "refuseRedirect" | "fail" {
  if (isRefusedByFetch(input, init)) return "forget";
  const redirect = init?.redirect ?? (input instanceof Request ? input.redirect : "follow");
  return redirect === "error" && !isOfSystem(error) ? "refuseRedirect" : "fail";
}

/** Whether the arguments are at fault: a request was used already, or could not even be made. */
function isRefusedByFetch(input: Parameters<Fetch>[0], init: RequestInit | undefined): boolean {
  const body = init?.body;
  const isGiven = body !== undefined && body !== null;
  if (input instanceof Request && input.bodyUsed && !isGiven) return true;
  try {
    // With a stand-in for the body: making a request takes the real one away from the caller.
    const standIn = body instanceof ReadableStream ? new ReadableStream() : "";
    new Request(input instanceof Request ? input.url : input, {
      ...init,
      ...(isGiven && { body: standIn }),
    });
    return false;
  } catch {
    return true;
  }
}

/** Failures of the network have a code of the system or of the client. */
function isOfSystem(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause;
}

type Observing = {
  readonly measurement: CallMeasurement;
  readonly dropped: FinalizationRegistry<CallMeasurement>;
  readonly guard: Guard;
};

/** The same answer, whose body tells the measurement what happens to it. */
function observeAnswer(response: Response, { measurement, dropped, guard }: Observing): Response {
  const { body, headers, status } = response;
  let observed: Response | undefined;
  guard.run(() => {
    measurement.receiveHeaders({
      status,
      modelVersion: readModelVersion(headers),
      contentType: headers.get("content-type"),
    });
    // What is no answer of this platform's `fetch`, or is being read already, is left alone.
    if (!(body instanceof ReadableStream) || body.locked || response.bodyUsed) return;

    const passing = observeBody(body, createBodyObserver(measurement, guard));
    observed = likeOriginal(new Response(passing, response), response);
    dropped.register(passing, measurement);
  });
  if (observed) return observed;
  // Without a body (HEAD, 204, 304) an answer is complete with its headers.
  guard.run(() => measurement.end());
  return response;
}

/** Knows the measurement and not the answer, so that an answer can be seen to be dropped. */
function createBodyObserver(measurement: CallMeasurement, guard: Guard): BodyObserver {
  return {
    onStart: () => guard.run(() => measurement.startReading()),
    onPiece: (bytes) => guard.run(() => measurement.receive(bytes)),
    onEnd: () => guard.run(() => measurement.end()),
    onError: (error) => guard.run(() => measurement.fail(error)),
    onCancel: () => guard.run(() => measurement.cancel()),
  };
}

/** `url`, `redirected` and `type` cannot be given to a constructor. */
function likeOriginal(copy: Response, original: Response): Response {
  const { url, redirected, type } = original;
  return Object.defineProperties(copy, {
    url: { value: url, enumerable: true },
    redirected: { value: redirected, enumerable: true },
    type: { value: type, enumerable: true },
    clone: { value: () => likeOriginal(Response.prototype.clone.call(copy), copy) },
  });
}

function readTraceId(input: Parameters<Fetch>[0], init: RequestInit | undefined) {
  const sent = init?.headers ?? (input instanceof Request ? input.headers : undefined);
  if (sent === undefined) return undefined;
  try {
    return traceIdOf((sent instanceof Headers ? sent : new Headers(sent)).get("traceparent"));
  } catch {
    return undefined; // headers that `fetch` is about to refuse
  }
}

/** Longest version that becomes a label, in UTF-16 units. */
const VERSION_CHARS_MAX = 64;

/** Databricks names a served entity `<model>-<version>` unless told otherwise. */
function readModelVersion(headers: Headers): string | undefined {
  const served = headers.get("served-model-name");
  if (!served) return undefined;
  return (/-(\d+)$/.exec(served)?.[1] ?? served).slice(0, VERSION_CHARS_MAX);
}
