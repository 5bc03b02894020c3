/** Where `monitor --forward` forwards to, and with which headers, from its options. */
import { readFile } from "node:fs/promises";
import { type Forward, startForward } from "../../export/otlp/forward.ts";
import { parseForwardHeaders } from "../../export/otlp/forward-target.ts";
import { MonitorError } from "../../monitor-error.ts";
import { readReference } from "../../notify/read-secret.ts";
import type { ForwardCommandOptions } from "./options.ts";

const headersReference = {
  what: "the list of headers",
  part: "text",
  holds: "name=value,name=value",
  hint: "Give --forward-headers as env:NAME (such as env:OTEL_EXPORTER_OTLP_HEADERS) or file:PATH (a file that only you can read).",
} as const;

type Surroundings = Pick<
  Parameters<typeof startForward>[0],
  "dataDirectory" | "clock" | "random" | "fetch" | "onNotice"
>;

/** @throws MonitorError `CONFIG_INVALID`; `DATA_DIR_LOCKED`, `DATA_DIR_UNWRITABLE`. */
export async function forwardOf(
  { url, headers, signals, content }: ForwardCommandOptions,
  surroundings: Surroundings,
): Promise<Forward> {
  return startForward({
    ...surroundings,
    url,
    signals,
    content,
    headers: headers === undefined ? {} : parseForwardHeaders(await readHeaders(headers)),
  });
}

async function readHeaders(reference: string): Promise<string> {
  const { text } = await readReference(
    reference,
    { env: process.env, readFile: (path) => readFile(path, "utf8") },
    headersReference,
  );
  return text;
}

/**
 * What it forwards to itself would come round for ever.
 *
 * @throws MonitorError `USAGE_INVALID`.
 */
export function refuseOwnAddress(forwardUrl: string, ownUrl: string): void {
  const to = new URL(forwardUrl);
  const own = new URL(ownUrl);
  const isHere = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(to.hostname);
  const port = to.port === "" ? { "http:": "80", "https:": "443" }[to.protocol] : to.port;
  if (!isHere || port !== own.port) return;
  throw new MonitorError(
    "USAGE_INVALID",
    `--forward leads to this monitor itself (${own.origin})`,
    {
      hint: "Give the address of the other receiver, or another --port to this monitor.",
    },
  );
}
