/**
 * A server that answers anything and remembers what it was asked: neither ours nor
 * Databricks'. Who asks tells before what it is about to do, by POST /recorder/NAME.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseExactJson } from "../../src/databricks/exact-json.ts";

export type RecordedRequest = {
  readonly method: string;
  /** Decoded, since the same path can be encoded in several ways. */
  readonly path: string;
  readonly query: Readonly<Record<string, readonly string[]>>;
  /** JSON, or what else was sent as text; `null` for nothing. */
  readonly body: unknown;
};

export type Recorder = {
  readonly url: string;
  /** What was asked for since the operation was told. */
  requestsOf(operation: string): readonly RecordedRequest[];
  close(): void;
};

/** @param answer to a request of an operation; headers beside JSON where it is a list. */
export async function startRecorder(
  answer: (operation: string, request: RecordedRequest) => unknown,
): Promise<Recorder> {
  const requests = new Map<string, RecordedRequest[]>();
  let operation = "";
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "", "http://recorder");
    let text = "";
    for await (const chunk of request) text += chunk;
    if (url.pathname.startsWith("/recorder/")) {
      operation = decodeURIComponent(url.pathname.slice("/recorder/".length));
      requests.set(operation, []);
      response.end();
      return;
    }
    // Clients look there for what kind of host it is.
    if (url.pathname.startsWith("/.well-known/") || url.pathname.startsWith("/oidc/")) {
      response.writeHead(404).end();
      return;
    }
    const recorded = {
      method: request.method ?? "",
      path: decodeURIComponent(url.pathname),
      query: queryOf(url.searchParams),
      body: bodyOf(text),
    };
    requests.get(operation)?.push(recorded);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer(operation, recorded)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requestsOf: (name) => requests.get(name) ?? [],
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A name may be repeated. */
function queryOf(parameters: URLSearchParams): RecordedRequest["query"] {
  return Object.fromEntries([...parameters.keys()].map((name) => [name, parameters.getAll(name)]));
}

function bodyOf(text: string): unknown {
  if (text === "") return null;
  try {
    return parseExactJson(text);
  } catch {
    return text;
  }
}
