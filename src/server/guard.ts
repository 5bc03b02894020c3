/**
 * Keeps web pages of elsewhere away from a server on loopback: any page that a
 * person has open could otherwise post telemetry to it, or, after rebinding its
 * name to 127.0.0.1, read it. Browsers say where a request comes from; what they
 * say is checked here, before any route.
 */
import type { MiddlewareHandler } from "hono";

const localNames = ["127.0.0.1", "localhost", "[::1]"];

export const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
} as const;

export type Caller = {
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** The header `sec-fetch-site`. */
  readonly fetchSite: string | undefined;
  /** The header `sec-fetch-mode`. */
  readonly fetchMode: string | undefined;
};

/** Why the caller is refused; `null` when it is not. */
export function refusal(caller: Caller, port: number): string | null {
  if (caller.host === undefined || !isOwnHost(caller.host.toLowerCase(), port)) {
    return "the Host header names another host: this monitor answers on this machine only";
  }
  if (caller.origin !== undefined) {
    const own = localNames.map((name) => `http://${name}${port === 80 ? "" : `:${port}`}`);
    return own.includes(caller.origin.toLowerCase())
      ? null
      : "the request comes from a web page of another origin";
  }
  // Following a link to the page, as from an alert's message, is no request of the other page.
  const followsLink =
    caller.method === "GET" && caller.path === "/" && caller.fetchMode === "navigate";
  const isForeign = caller.fetchSite === "cross-site" || caller.fetchSite === "same-site";
  return isForeign && !followsLink ? "the request comes from a web page of another site" : null;
}

function isOwnHost(host: string, port: number): boolean {
  const name = host.endsWith(`:${port}`) ? host.slice(0, host.lastIndexOf(":")) : host;
  return localNames.includes(name) && (name !== host || port === 80);
}

export function guard(port: () => number): MiddlewareHandler {
  return async (context, next) => {
    const { req } = context;
    const refused = refusal(
      {
        method: req.method,
        path: req.path,
        host: req.header("host"),
        origin: req.header("origin"),
        fetchSite: req.header("sec-fetch-site"),
        fetchMode: req.header("sec-fetch-mode"),
      },
      port(),
    );
    if (refused === null) await next();
    else context.res = context.json({ error: { message: refused } }, 403);
    // Afterwards: a route that makes its own Response drops what was set before it.
    for (const [name, value] of Object.entries(securityHeaders)) context.header(name, value);
  };
}
