/** The network between the exporter and the workspace, and everything that it does to a request. */
import type { Fetch } from "../../src/databricks/transport.ts";
import { lateStrike, refusalStrike, troubleStrikes } from "./strikes.ts";
import type { ModelAnswer, ModelRequest, WorkspaceModel } from "./workspace-model.ts";
import type { Process, World } from "./world.ts";

export type Trouble =
  /** Answered by a gateway; the workspace sees nothing. */
  | "429"
  | "429 for an hour"
  | "503"
  /** The connection breaks before the workspace has the request, or after it has done it. */
  | "reset before"
  | "reset after"
  /** It breaks in the middle of the request: of a file, half of it is there. */
  | "half"
  /** Nothing comes: the request is lost, or arrives minutes later. */
  | "hang"
  | "late"
  /** The answer breaks off. */
  | "cut";

export const troubles: readonly Trouble[] = [
  "429",
  "429 for an hour",
  "503",
  "reset before",
  "reset after",
  "half",
  "hang",
  "late",
  "cut",
];

/** What an export asks for. */
export type Step =
  | "signing in"
  | "looking at schema, volume and tables"
  | "listing the volume"
  | "looking at a file"
  | "uploading"
  | "loading"
  | "merging"
  | "defining"
  | "asking for a statement";

export const steps: readonly Step[] = [
  "signing in",
  "looking at schema, volume and tables",
  "listing the volume",
  "looking at a file",
  "uploading",
  "loading",
  "merging",
  "defining",
  "asking for a statement",
];

export type SimNetwork = {
  fetchFor(process: Process): Fetch;
  /** Of each request, until it is lifted. */
  trouble: { readonly kind: Trouble; readonly share: number } | null;
  /** What happens to the next request of a step. */
  next: { readonly step: Step; readonly kind: Trouble } | null;
};

export function createNetwork(world: World, model: WorkspaceModel): SimNetwork {
  const { random } = world;
  const network: SimNetwork = { trouble: null, next: null, fetchFor };

  function troubleOf(request: ModelRequest): Trouble | null {
    const { next } = network;
    if (next && next.step === stepOf(request)) {
      network.next = null;
      return next.kind;
    }
    const { trouble } = network;
    return trouble && random.next() < trouble.share ? trouble.kind : null;
  }

  function fetchFor(process: Process): Fetch {
    return (url, init) =>
      new Promise<Response>((resolve, reject) => {
        let request = requestOf(url, init);
        const what = `${request.method} ${request.path}`;
        try {
          process.step(what);
        } catch {
          return;
        }
        const deliver = (settle: () => void) =>
          process.clock.after(random.between(1, 40), () => {
            try {
              process.step(`the answer to ${what}`);
            } catch {
              return;
            }
            settle();
          });
        const kind = troubleOf(request);
        if (kind !== null) {
          world.note("network", `${kind}: ${what}`);
          process.strike(troubleStrikes[kind]);
        }
        init.signal?.addEventListener("abort", () => reject(init.signal?.reason));
        const arrive = (delayMs: number, settle: (answer: ModelAnswer) => void) =>
          world.after(delayMs, async () => {
            const answer = await model.answer(request);
            const said = refusalIn(answer);
            if (said !== null) process.strike(refusalStrike(said));
            if (isCancelled(answer)) process.strike(lateStrike);
            deliver(() => settle(answer));
          });
        const broken = () => reject(networkError());
        switch (kind) {
          case "429":
          case "503": {
            const headers = random.next() < 0.5 ? { "retry-after": "2" } : {};
            const json = { message: "busy" };
            return deliver(() => resolve(responseOf({ status: Number(kind), json, headers })));
          }
          case "429 for an hour": {
            const [json, headers] = [{ message: "busy" }, { "retry-after": "3600" }];
            return deliver(() => resolve(responseOf({ status: 429, json, headers })));
          }
          case "reset before":
            return deliver(broken);
          case "reset after":
            // What was asked for may take long, and goes on.
            world.after(random.between(1, 40), () => {
              deliver(broken);
              return model.answer(request);
            });
            return;
          case "half":
            if (stepOf(request) !== "uploading") return deliver(broken);
            request = { ...request, body: request.body.slice(0, request.body.length >> 1) };
            return arrive(random.between(1, 40), broken);
          case "hang":
            return;
          case "late":
            return arrive(random.between(30_000, lateMaxMs(request)), () => {});
          case "cut":
            return arrive(random.between(1, 40), (answer) => resolve(cutResponse(answer)));
          case null:
            return arrive(random.between(1, 40), (answer) => resolve(responseOf(answer)));
        }
      });
  }

  return network;
}

/** What it says went wrong, if something did. */
function refusalIn({ status, json }: ModelAnswer): string | null {
  const { message, status: of } = (json ?? {}) as {
    readonly message?: string;
    readonly status?: { readonly error?: { readonly message?: string } };
  };
  return status >= 400 ? (message ?? "") : (of?.error?.message ?? null);
}

function isCancelled({ json }: ModelAnswer): boolean {
  const { status } = (json ?? {}) as { readonly status?: { readonly state?: string } };
  return status?.state === "CANCELED";
}

/**
 * What adds rows by their ids is not sent again before it is over: that takes no proxy into account
 * that keeps a request for longer than a minute after its sender has gone.
 */
function lateMaxMs(request: ModelRequest): number {
  return stepOf(request) === "merging" ? 60_000 : 400_000;
}

function stepOf({ method, path, body }: ModelRequest): Step {
  if (path.startsWith("/oidc/")) return "signing in";
  if (path.startsWith("/api/2.1/unity-catalog/")) return "looking at schema, volume and tables";
  if (path.startsWith("/api/2.0/fs/directories/")) return "listing the volume";
  if (path.startsWith("/api/2.0/fs/files/")) {
    return method === "PUT" ? "uploading" : "looking at a file";
  }
  if (path !== "/api/2.0/sql/statements") return "asking for a statement";
  const text = new TextDecoder().decode(body);
  if (text.includes("COPY INTO")) return "loading";
  return text.includes("MERGE INTO") ? "merging" : "defining";
}

function requestOf(url: string, init: RequestInit): ModelRequest {
  const { pathname, searchParams } = new URL(url);
  const headers = new Headers(init.headers);
  const authorization = headers.get("authorization") ?? "";
  const { body } = init;
  return {
    method: init.method ?? "GET",
    path: pathname,
    query: searchParams,
    token: /^Bearer (.+)$/.exec(authorization)?.[1] ?? null,
    // Bytes are copied: what is sent does not change under way.
    body: body instanceof Uint8Array ? body.slice() : new TextEncoder().encode(String(body ?? "")),
  };
}

function networkError(): Error {
  const cause = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
  return new TypeError("fetch failed", { cause });
}

function responseOf({ status, json, headers = {} }: ModelAnswer): Response {
  const body = json === null ? null : JSON.stringify(json);
  return new Response(body, {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

/** Half of the body, and then the connection breaks. */
function cutResponse(answer: ModelAnswer): Response {
  const { status, json, headers = {} } = answer;
  if (json === null) return responseOf(answer);
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  const half = bytes.slice(0, bytes.length >> 1);
  let isSent = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (isSent) return controller.error(networkError());
      isSent = true;
      controller.enqueue(half);
    },
  });
  return new Response(body, { status, headers });
}
