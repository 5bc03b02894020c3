/**
 * The OTLP/HTTP receiver: reads a body within bounds, hands it to the monitor and
 * answers as the protocol asks, in the encoding of the request. 200 means that
 * the batch is on disk.
 *
 * Source: OpenTelemetry Protocol specification, "OTLP/HTTP".
 */
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { OtlpEncoding } from "../monitor/monitor.ts";
import { MonitorError } from "../monitor-error.ts";
import { HOPS_HEADER, readHops } from "../signals/forward-hops.ts";
import { BodyBuffers, isEncodingSupported, readBody } from "./read-body.ts";

/** What a sender is asked to wait while the disk is full, in seconds. */
const RETRY_AFTER_SECONDS = 5;

/** Bodies that were refused, by reason, since the start. */
export type Refusals = Map<string, number>;

/** @param take resolves once the body is in the journal, and keeps nothing of its bytes. */
export function receiveOtlp(
  refusals: Refusals,
  take: (
    body: Uint8Array,
    encoding: OtlpEncoding,
    came: { readonly hops: number },
  ) => Promise<void>,
) {
  const buffers = new BodyBuffers();
  return async (context: Context<{ Bindings: HttpBindings }>): Promise<Response> => {
    const refuse = (status: number, reason: string, message: string) => {
      refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
      return refusalResponse({ status, message, encoding: encoding ?? "json" });
    };
    const encoding = encodingOf(context.req.header("content-type"));
    if (!encoding) {
      return refuse(415, "content_type", "send OTLP as application/x-protobuf or application/json");
    }
    const contentEncoding = context.req.header("content-encoding");
    if (!isEncodingSupported(contentEncoding)) {
      return refuse(415, "content_encoding", "send the body plain or compressed with gzip");
    }
    try {
      const body = await readBody(context.env.incoming, { encoding: contentEncoding, buffers });
      await take(body, encoding, { hops: readHops(context.req.header(HOPS_HEADER)) });
      buffers.giveBack(body);
      return accepted(encoding);
    } catch (error) {
      if (!(error instanceof MonitorError)) throw error;
      const message = `${error.message}. ${error.hint}`;
      switch (error.code) {
        case "TELEMETRY_TOO_LARGE":
          return refuse(413, "too_large", message);
        case "STORE_FULL":
          return refuse(503, "store_full", message);
        default:
          return refuse(400, "malformed", message);
      }
    }
  };
}

function encodingOf(contentType: string | undefined): OtlpEncoding | null {
  switch (contentType?.split(";")[0]?.trim().toLowerCase()) {
    case "application/x-protobuf":
      return "protobuf";
    case "application/json":
      return "json";
    default:
      return null;
  }
}

/** An empty response message of whatever was sent. */
function accepted(encoding: OtlpEncoding): Response {
  return encoding === "json"
    ? new Response("{}", { headers: { "content-type": "application/json" } })
    : new Response(new Uint8Array(0), { headers: { "content-type": "application/x-protobuf" } });
}

/** A google.rpc.Status. The connection closes, because part of the body may be unread. */
function refusalResponse({
  status,
  message,
  encoding,
}: {
  status: number;
  message: string;
  encoding: OtlpEncoding;
}): Response {
  const headers: Record<string, string> = { connection: "close" };
  if (status === 503) headers["retry-after"] = String(RETRY_AFTER_SECONDS);
  if (encoding === "json") {
    headers["content-type"] = "application/json";
    return new Response(JSON.stringify({ code: rpcCode(status), message }), { status, headers });
  }
  headers["content-type"] = "application/x-protobuf";
  return new Response(encodeStatus(rpcCode(status), message), { status, headers });
}

/** google.rpc.Code: UNAVAILABLE asks to try again, INVALID_ARGUMENT not to. */
function rpcCode(status: number): number {
  return status === 503 ? 14 : 3;
}

/** `{ int32 code = 1; string message = 2; }` */
function encodeStatus(code: number, message: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(message);
  const length: number[] = [];
  for (let rest = text.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Uint8Array.from([0x08, code, 0x12, ...length, ...text]);
}
