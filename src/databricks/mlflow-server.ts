/**
 * The client of an MLflow server of one's own, by its address. It speaks the same
 * REST API as Databricks, so it is the same client; what goes wrong is told in
 * MLflow's terms.
 */
import type { Clock } from "../clock.ts";
import { type ErrorCode, MonitorError } from "../monitor-error.ts";
import { createDatabricksClient, type DatabricksClient } from "./client.ts";
import { isLoopback } from "./credentials.ts";
import { DatabricksError } from "./databricks-error.ts";
import { Secret } from "./secret.ts";
import type { Fetch } from "./transport.ts";

export type MlflowClientOptions = {
  /** Such as `http://127.0.0.1:5000`, or with the path that a proxy puts in front. */
  readonly url: string;
  /** Sent as bearer token; without it nobody signs in. */
  readonly token: string | undefined;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly random: () => number;
};

/** @throws MonitorError `CONFIG_INVALID` for an address or a token that can't be used. */
export function createMlflowClient(options: MlflowClientOptions): DatabricksClient {
  const { fetch, clock, random } = options;
  const host = addressOf(options);
  const signIn = options.token ? { kind: "token" as const, token: secretOf(options.token) } : null;
  return createDatabricksClient({
    credentials: { host, signIn, source: "MLFLOW_TRACKING_TOKEN" },
    fetch,
    clock,
    random,
    inOtherWords: (error) => inMlflowsTerms(error, host),
  });
}

function addressOf({ url: text, token }: MlflowClientOptions): string {
  const url = URL.parse(text);
  // The value is not quoted: it may hold a password.
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search) {
    throw new MonitorError("CONFIG_INVALID", "the address of the MLflow server is none", {
      hint: "Use the form http://HOST:PORT; a token goes into MLFLOW_TRACKING_TOKEN.",
    });
  }
  if (token && url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new MonitorError(
      "CONFIG_INVALID",
      `MLFLOW_TRACKING_TOKEN would be sent unencrypted to ${url.origin}`,
      { hint: "Use https, or unset it where the server asks for no token." },
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function secretOf(token: string): Secret {
  const secret = new Secret(token);
  if (secret.fitsInHeader()) return secret;
  throw new MonitorError("CONFIG_INVALID", "MLFLOW_TRACKING_TOKEN is not a token", {
    hint: "Copy it again without line breaks or quotes around it. The value is not shown here.",
  });
}

type Terms = { readonly code: ErrorCode; readonly hint: (host: string) => string };

const terms: Partial<Record<ErrorCode, Terms>> = {
  DATABRICKS_UNREACHABLE: {
    code: "MLFLOW_UNREACHABLE",
    hint: (host) => `Check that an MLflow server runs at ${host}, and that it can be reached here.`,
  },
  DATABRICKS_UNAUTHENTICATED: {
    code: "MLFLOW_UNAUTHENTICATED",
    hint: () => "Set MLFLOW_TRACKING_TOKEN to a token that the server takes.",
  },
  DATABRICKS_FORBIDDEN: {
    code: "MLFLOW_FORBIDDEN",
    hint: () =>
      "Let the identity behind MLFLOW_TRACKING_TOKEN read the experiment. A server that refuses the Host header has to name it in --allowed-hosts.",
  },
  DATABRICKS_FAILED: {
    code: "MLFLOW_FAILED",
    hint: (host) =>
      `Check that ${host} is an MLflow server itself, and not too old: 3.17 is the version that was tried.`,
  },
};

function inMlflowsTerms({ code, message, hint, call }: DatabricksError, host: string) {
  const told = terms[code];
  return new DatabricksError(told?.code ?? code, message, {
    hint: told?.hint(host) ?? hint,
    call,
  });
}
