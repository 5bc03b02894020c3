/** Makes the faults happen that a test has added: see `faults.ts`. */
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context, MiddlewareHandler } from "hono";
import type { Clock } from "../clock.ts";
import { errorResponse } from "../databricks-error.ts";
import type { FaultEffect, Faults } from "./faults.ts";

export type FaultMiddlewareOptions = {
  readonly faults: Faults;
  readonly clock: Clock;
  /** Ends what hangs. */
  readonly signal: AbortSignal;
};

export function injectFaults({ faults, clock, signal }: FaultMiddlewareOptions): MiddlewareHandler {
  return async (c, next) => {
    const effect = faults.next({ method: c.req.method, path: c.req.path });
    if (!effect) return next();
    if (effect.kind === "delay") {
      await new Promise<void>((resolve) => clock.after(effect.delayMs, resolve));
      return next();
    }
    const hasEffect = effect.kind === "truncate" || effect.when === "after";
    if (hasEffect) await next();
    // An answer that is set already would only lend its headers to another one.
    const answer = c.res;
    c.res = undefined;
    c.res = await spoil(c, effect, { answer, signal });
  };
}

type Spoiled = { readonly answer: Response; readonly signal: AbortSignal };

async function spoil(
  c: Context,
  effect: Exclude<FaultEffect, { kind: "delay" }>,
  { answer, signal }: Spoiled,
): Promise<Response> {
  switch (effect.kind) {
    case "answer":
      return errorResponse({
        status: effect.status,
        errorCode: effect.errorCode,
        message: effect.message ?? "The local workspace was told to fail here.",
        headers:
          effect.retryAfterS === undefined ? {} : { "retry-after": String(effect.retryAfterS) },
      });
    case "hang":
      await new Promise<void>((resolve) =>
        signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve()),
      );
      return reset(c);
    case "reset":
      return reset(c);
    case "truncate": {
      const body = Buffer.from(await answer.arrayBuffer());
      const { outgoing } = bindings(c);
      outgoing.writeHead(answer.status, {
        ...Object.fromEntries(answer.headers),
        "content-length": body.length,
      });
      outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => outgoing.destroy());
      return RESPONSE_ALREADY_SENT;
    }
  }
}

function reset(c: Context): Response {
  bindings(c).incoming.socket.resetAndDestroy();
  return RESPONSE_ALREADY_SENT;
}

function bindings(c: Context): HttpBindings {
  // As the server of `workspace.ts` passes them; without a socket there is nothing to break.
  const { incoming, outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  if (!incoming || !outgoing)
    throw new Error("only a workspace that listens can break connections");
  return { incoming, outgoing };
}
