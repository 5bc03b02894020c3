/**
 * Which agent a call goes to, read from its address: a name for labels, so never
 * a path, a query or a credential.
 *
 * Source: Databricks Model Serving `/serving-endpoints/{name}/invocations`, its
 * OpenAI-compatible addresses where the body's `model` is the endpoint, and
 * Databricks Apps (`{app}-{workspace id}.{cloud}.databricksapps.com`).
 */
import { decodeSegment } from "./path-segment.ts";
import { fieldsOf } from "./token-use.ts";

/** Longest name that is used; the rest is cut off. Databricks allows 63. */
const NAME_CHARS_MAX = 128;

/** Longest request body, in UTF-16 units, that is read for the endpoint's name. */
const BODY_CHARS_MAX = 1024 * 1024;

const INVOCATIONS = /\/serving-endpoints\/([^/]+)\/(?:served-models\/[^/]+\/)?invocations\/?$/;
const OPENAI_COMPATIBLE =
  /\/(?:serving-endpoints|ai-gateway\/[\w-]+\/v1)\/(?:chat\/completions|completions|embeddings|responses)\/?$/;
const APP_HOST = /^([a-z0-9-]+?)(?:-\d+)?\.(?:[a-z0-9-]+\.)*databricksapps\.com$/;

/** `body` is the request's, where it is text. Undefined for what is no address of HTTP. */
export function endpointNameOf(url: URL, body?: unknown): string | undefined {
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;

  const named = INVOCATIONS.exec(url.pathname)?.[1];
  if (named) return decodeSegment(named).slice(0, NAME_CHARS_MAX);

  if (OPENAI_COMPATIBLE.test(url.pathname)) {
    const model = modelAsked(body);
    if (model) return model.slice(0, NAME_CHARS_MAX);
  }
  return (APP_HOST.exec(url.hostname)?.[1] ?? url.host).slice(0, NAME_CHARS_MAX);
}

function modelAsked(body: unknown): string | undefined {
  if (typeof body !== "string" || body.length > BODY_CHARS_MAX) return undefined;
  try {
    const { model } = fieldsOf(JSON.parse(body));
    return typeof model === "string" && model !== "" ? model : undefined;
  } catch {
    return undefined;
  }
}
