/**
 * Makes a check of something that answers HTTP: healthy when a GET is answered with
 * the status that is expected, in time. Follows no redirect and reads no body. A
 * dependency that can't be reached is unhealthy, since reaching it is what is
 * checked; one that refuses us says nothing about how it is. No query of the URL
 * gets into a message: it may hold a key.
 */
import { MonitorError } from "../../monitor-error.ts";
import { checkAboveZero, checkFunction, checkOptions, checkWholeNumber } from "../../option.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import type { Check, CheckResult } from "../check.ts";

export type HttpCheckOptions = {
  readonly url: string | URL;
  /** One status or several. Any from 200 to 299 by default. */
  readonly expectedStatus?: number | readonly number[] | undefined;
  /** Only shorter than what the manager allows has an effect. 10 by default. */
  readonly timeoutSeconds?: number | undefined;
  /** Node's own by default. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
};

const DEFAULT_TIMEOUT_S = 10;
const TIMEOUT_MAX_S = 3600;

/**
 * @throws MonitorError `CONFIG_INVALID` for an option that makes no sense, or a URL that can't be asked, holds a
 * password, or would call a serving endpoint: that wakes it and costs money.
 */
export function createHttpCheck(options: HttpCheckOptions): Check {
  checkOptions("an HTTP check", options);
  const { expectedStatus, timeoutSeconds = DEFAULT_TIMEOUT_S, fetch = globalThis.fetch } = options;
  checkFunction("fetch", fetch);
  const url = readUrl(options.url);
  const shown = foreignLine(`${url.origin}${url.pathname}`);
  checkAboveZero("timeoutSeconds", timeoutSeconds, { max: TIMEOUT_MAX_S, unit: "seconds" });
  const timeoutMs = timeoutSeconds * 1000;
  const expected = expectedStatus === undefined ? null : [expectedStatus].flat();
  for (const status of expected ?? []) {
    checkWholeNumber("expectedStatus", status, { min: 100, max: 599 });
  }

  return async ({ signal }): Promise<CheckResult> => {
    const deadline = AbortSignal.timeout(timeoutMs);
    let response: Response;
    try {
      response = await fetch(url.href, {
        redirect: "manual",
        headers: { "user-agent": "dspy-databricks-agents" },
        signal: AbortSignal.any([signal, deadline]),
      });
    } catch (error) {
      return unreachable(shown, deadline.aborted ? `no answer in ${timeoutSeconds} s` : why(error));
    }
    // Unread, it would hold the connection.
    await response.body?.cancel().catch(() => {});
    return judge(response.status, { shown, expected });
  };
}

function judge(
  status: number,
  { shown, expected }: { readonly shown: string; readonly expected: readonly number[] | null },
): CheckResult {
  const evidence = { url: shown, httpStatus: status };
  const isExpected = expected ? expected.includes(status) : status >= 200 && status < 300;
  if (isExpected) {
    return {
      status: "healthy",
      state: "ready",
      message: `GET ${shown} answered ${status}.`,
      evidence,
    };
  }
  if (status === 401 || status === 403) {
    return {
      status: "unknown",
      state: "denied",
      message: `GET ${shown} answered ${status}, so how it is was not found out. Check a path that needs no sign-in, or expect this status.`,
      evidence,
    };
  }
  return {
    status: "unhealthy",
    state: "failed",
    message: `GET ${shown} answered ${status}, not ${expected?.join(" or ") ?? "2xx"}.`,
    evidence,
  };
}

function unreachable(shown: string, what: string): CheckResult {
  return {
    status: "unhealthy",
    state: "unreachable",
    message: `GET ${shown} brought ${what}. Check that it runs, and that it can be reached from here.`,
    evidence: { url: shown, httpStatus: null },
  };
}

/** Only the code: the text of such an error repeats the whole URL. */
function why(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if ("code" in current && typeof current.code === "string") return `no answer (${current.code})`;
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return "no answer";
}

function readUrl(given: string | URL): URL {
  const url = URL.parse(String(given));
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    throw invalid("the URL of an HTTP check is not one of http or https", "Give the whole URL.");
  }
  if (url.username !== "" || url.password !== "") {
    throw invalid(
      `the URL of the HTTP check of ${url.host} holds a name or password`,
      "Pass a fetch that adds what the service asks for.",
    );
  }
  if (/\/invocations\/?$/.test(url.pathname)) {
    throw invalid(
      `an HTTP check of ${url.origin}${url.pathname} would call a serving endpoint, which wakes it and costs money`,
      "Use createEndpointCheck, which asks Databricks for its state.",
    );
  }
  return url;
}

function invalid(message: string, hint: string): MonitorError {
  return new MonitorError("CONFIG_INVALID", message, { hint });
}
