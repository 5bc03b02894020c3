/**
 * Where telemetry is forwarded to, and with which headers: checked before anything is sent,
 * and without showing what was given, which may hold a token.
 */
import type { Signal } from "../../ingest/otlp/passed-on.ts";
import { MonitorError } from "../../monitor-error.ts";
import { knownMeaning } from "../../signals/scrub-secrets.ts";
import { checkHeaders, isLoopback, receiverUrl } from "../receiver-address.ts";

/** Most headers that go with a request. */
const HEADERS_MAX = 32;

export type ForwardTarget = {
  /** As it may be shown: without path, query and headers. */
  readonly origin: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

/**
 * @param base such as `https://otel.example:4318`. The signal's own path is added, as with
 * `OTEL_EXPORTER_OTLP_ENDPOINT`.
 * @throws MonitorError `CONFIG_INVALID`.
 */
export function forwardTarget(
  base: string,
  {
    signal,
    headers,
  }: { readonly signal: Signal; readonly headers: Readonly<Record<string, string>> },
): ForwardTarget {
  const url = receiverUrl(base, "the receiver of --forward");
  url.pathname = `${url.pathname.replace(/(?:\/v1\/(?:traces|metrics))?\/*$/, "")}/v1/${signal}`;
  checkHeaders(headers);
  const secret = Object.keys(headers).find((name) => knownMeaning(name) !== "plain");
  if (secret !== undefined && url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new MonitorError(
      "CONFIG_INVALID",
      `the header ${secret} for ${url.origin} would travel unencrypted`,
      { hint: "Use an https address; http with a secret is for this machine only." },
    );
  }
  return { origin: url.origin, url: url.href, headers };
}

/**
 * Headers as `OTEL_EXPORTER_OTLP_HEADERS` has them: `api-key=abc,x-tenant=blue`, values
 * percent-encoded.
 *
 * @throws MonitorError `CONFIG_INVALID`, without what was read.
 */
export function parseForwardHeaders(text: string): Record<string, string> {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const isPair = parts.every((part) => part.indexOf("=") > 0);
  if (!isPair || parts.length === 0 || parts.length > HEADERS_MAX) {
    throw new MonitorError("CONFIG_INVALID", "the headers of --forward can't be read", {
      hint: `Write them as OTEL_EXPORTER_OTLP_HEADERS has them: name=value,name=value, at most ${HEADERS_MAX}.`,
    });
  }
  const headers = Object.fromEntries(
    parts.map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at).trim().toLowerCase(), decoded(part.slice(at + 1).trim())];
    }),
  );
  checkHeaders(headers);
  return headers;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    // Not encoded, and with a percent sign of its own.
    return value;
  }
}
