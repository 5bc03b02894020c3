/**
 * Reads what a request carries, and refuses it as Databricks does when a field is
 * missing or of the wrong kind. Fields that are not known here are left alone.
 */
import type { Context } from "hono";
import type { z } from "zod";
import { Refusal } from "../databricks-error.ts";

/** Largest JSON body, in bytes: a notebook of 10 MB in base64, and some room. */
const JSON_MAX_BYTES = 16 * 1024 * 1024;

/** @throws Refusal `MALFORMED_REQUEST` or `INVALID_PARAMETER_VALUE`. */
export async function readBody<S extends z.ZodType>(c: Context, schema: S): Promise<z.output<S>> {
  const bytes = await c.req.arrayBuffer();
  if (bytes.byteLength > JSON_MAX_BYTES) {
    throw new Refusal(
      "MAX_REQUEST_SIZE_EXCEEDED",
      `The request is larger than ${JSON_MAX_BYTES} bytes.`,
    );
  }
  return readValue(parseJson(new TextDecoder().decode(bytes)), schema);
}

/** @throws Refusal `INVALID_PARAMETER_VALUE`. Values are text: use `z.coerce`. */
export function readQuery<S extends z.ZodType>(c: Context, schema: S): z.output<S> {
  return readValue(c.req.query(), schema);
}

function parseJson(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("MALFORMED_REQUEST", "The body is not JSON.");
  }
}

/** @throws Refusal `INVALID_PARAMETER_VALUE`. */
export function readValue<S extends z.ZodType>(value: unknown, schema: S): z.output<S> {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const place = pathText(issue?.path ?? []);
  const isKindOfValue = issue?.code === "invalid_type" || issue?.code === "invalid_value";
  const isMissing = isKindOfValue && valueAt(value, issue.path) === undefined;
  throw new Refusal(
    "INVALID_PARAMETER_VALUE",
    isMissing
      ? `Missing required field: ${place}`
      : `Invalid value for ${place || "the request"}: ${issue?.message ?? "it can't be read"}`,
  );
}

/** `config.served_entities[0].name` */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    // Any object may be read by name; what is not there is undefined.
    (at, part) =>
      typeof at === "object" && at !== null
        ? (at as Record<PropertyKey, unknown>)[part]
        : undefined,
    value,
  );
}
