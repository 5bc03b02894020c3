/**
 * Hands out the access token for a workspace: the given one, or one that a
 * service principal gets for its id and secret. A token is replaced before it
 * expires, and callers that ask at the same time share one request.
 */
import type { Clock } from "../clock.ts";
import { apiPath } from "./api-path.ts";
import type { SignIn } from "./credentials.ts";
import { type CallContext, parseJson, statusError } from "./read-answer.ts";
import { Secret } from "./secret.ts";
import type { HttpAnswer, HttpRequest, Transport } from "./transport.ts";

export type TokenSource = {
  /** `null` where nobody has to sign in. */
  token(): Promise<Secret | null>;
  /**
   * Says that Databricks refused this token. Returns whether another one may be
   * had; if so, the next `token()` asks for it.
   */
  refused(token: Secret): boolean;
  /** All secrets known by now, to mask them in what Databricks says. */
  secrets(): readonly Secret[];
};

/** Refreshed after this part of its life, and at least `REFRESH_AHEAD_MS` before its end. */
const REFRESH_AT_LIFE_SHARE = 0.8;
const REFRESH_AHEAD_MS = 40_000;
/** After a refresh that failed, the old token serves this long before the next try. */
const REFRESH_RETRY_MS = 30_000;
/** A token refused sooner than this after it was given is not asked for again: it would not help. */
const REFUSED_REFRESH_MIN_MS = 60_000;
/** Used where the answer does not say how long the token lives. Databricks gives an hour. */
const DEFAULT_LIFE_S = 3600;

export function createTokenSource(input: {
  readonly signIn: SignIn | null;
  readonly source: string;
  readonly transport: Transport;
  readonly clock: Clock;
}): TokenSource {
  const { signIn } = input;
  if (signIn === null) {
    return { token: async () => null, refused: () => false, secrets: () => [] };
  }
  if (signIn.kind === "token") {
    const { token } = signIn;
    return { token: async () => token, refused: () => false, secrets: () => [token] };
  }
  return clientCredentials({ ...input, signIn });
}

type Held = {
  readonly token: Secret;
  readonly givenAtMs: number;
  readonly refreshAtMs: number;
  readonly expiresAtMs: number;
};

function clientCredentials({
  signIn,
  source,
  transport,
  clock,
}: {
  readonly signIn: Extract<SignIn, { kind: "client-credentials" }>;
  readonly source: string;
  readonly transport: Transport;
  readonly clock: Clock;
}): TokenSource {
  const basic = new Secret(
    Buffer.from(`${signIn.clientId}:${signIn.clientSecret.reveal()}`).toString("base64"),
  );
  let held: Held | null = null;
  let pending: Promise<Held> | null = null;

  const secrets = () => [signIn.clientSecret, basic, ...(held ? [held.token] : [])];
  const context: CallContext = {
    host: transport.host,
    source,
    secrets,
    permission: "Let the service principal into this workspace, and check its id and secret.",
  };

  async function ask(): Promise<Held> {
    const endpoint = await tokenEndpoint();
    const answer = await send({
      purpose: "get a token for the service principal",
      method: "POST",
      path: endpoint,
      headers: {
        authorization: `Basic ${basic.reveal()}`,
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
      },
      body: "grant_type=client_credentials&scope=all-apis",
      // Two tokens instead of one do no harm.
      isIdempotent: true,
    });
    const token = new Secret(textField(answer.json, "access_token") ?? "");
    if (!token.fitsInHeader()) {
      throw answer.unusable("has no usable access_token");
    }
    const life = (answer.json as { expires_in?: unknown } | null)?.expires_in;
    const lifeMs = 1000 * (typeof life === "number" && life > 0 ? life : DEFAULT_LIFE_S);
    const givenAtMs = clock.now();
    return {
      token,
      givenAtMs,
      refreshAtMs: givenAtMs + Math.min(lifeMs * REFRESH_AT_LIFE_SHARE, lifeMs - REFRESH_AHEAD_MS),
      expiresAtMs: givenAtMs + lifeMs,
    };
  }

  async function tokenEndpoint(): Promise<string> {
    const answer = await send({
      purpose: "find out where the service principal signs in",
      method: "GET",
      path: apiPath`/oidc/.well-known/oauth-authorization-server`,
      headers: { accept: "application/json" },
      isIdempotent: true,
    });
    const url = URL.parse(textField(answer.json, "token_endpoint") ?? "");
    // Elsewhere the secret would be sent to a host that nobody configured.
    if (url?.origin !== transport.host) {
      throw answer.unusable("names no token_endpoint on this host");
    }
    return url.pathname;
  }

  async function send(request: HttpRequest) {
    const answer: HttpAnswer = await transport.send(request);
    if (answer.status !== 200) throw statusError(answer, { request, context });
    return parseJson(answer, { request, context });
  }

  return {
    async token() {
      if (held && clock.now() < held.refreshAtMs) return held.token;
      pending ??= ask().finally(() => {
        pending = null;
      });
      try {
        held = await pending;
      } catch (error) {
        // What is there still works; a later call tries again.
        if (!held || clock.now() >= held.expiresAtMs) throw error;
        held = { ...held, refreshAtMs: clock.now() + REFRESH_RETRY_MS };
      }
      return held.token;
    },
    refused(token) {
      if (held === null || held.token !== token) return true;
      if (clock.now() - held.givenAtMs < REFUSED_REFRESH_MIN_MS) return false;
      held = null;
      return true;
    },
    secrets,
  };
}

function textField(value: unknown, name: string): string | null {
  if (typeof value !== "object" || value === null) return null;
  const field = (value as Record<string, unknown>)[name];
  return typeof field === "string" ? field : null;
}
