/**
 * Turns what the check of a file found into what a person can mend: what is wrong, at
 * which key, and what to write instead. Values are not repeated: one that stands in
 * the wrong place may be a secret.
 */
import * as z from "zod";
import { isMap } from "./merge.ts";
import { nearest } from "./nearest.ts";
import type { Path } from "./yaml-source.ts";

export type Mistake = {
  readonly path: Path;
  readonly what: string;
  readonly hint: string;
  /** Nothing stands there, so that an environment may still say it. */
  readonly isMissing?: boolean;
};

export const DOCS = "docs/agent-yaml.md shows every key.";

/** What people look for under another name. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  api_key:
    "Put it into deployment.environment_vars as {{secrets/scope/key}}, where dspy.LM finds it.",
  token: "Put it into deployment.environment_vars as {{secrets/scope/key}}.",
  slack_webhook: "Write monitoring.alerts.webhook: env:NAME or file:PATH.",
};

/** @param value what was checked against the schema. */
export function mistakesIn(schema: z.ZodType, value: unknown): readonly Mistake[] {
  const checked = schema.safeParse(value);
  if (checked.success) return [];
  const json: JsonSchema = z.toJSONSchema(schema, { io: "input" }) as JsonSchema; // that is its form
  const found = checked.error.issues.flatMap((issue) => explain(issue, [], value, json));
  // Who mistyped a key that must be there does not want to hear both.
  const meant = new Set(found.flatMap(({ meant = [] }) => meant));
  return found.filter(({ path, isMissing }) => !isMissing || !meant.has(path.join("\n")));
}

type JsonSchema = {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
};

/** `meant`: the keys that were probably mistyped, as paths. */
type Found = Mistake & { readonly meant?: readonly string[] };

function explain(
  issue: z.core.$ZodIssue,
  before: Path,
  whole: unknown,
  json: JsonSchema,
): readonly Found[] {
  const path: Path = [
    ...before,
    ...issue.path.map((step) => (typeof step === "symbol" ? "" : step)),
  ];
  const name = nameOf(path);
  switch (issue.code) {
    case "invalid_type": {
      if (valueAt(whole, path) === undefined) {
        return [{ path, what: `${name} is missing`, hint: DOCS, isMissing: true }];
      }
      const wanted = typeNames[issue.expected] ?? issue.expected;
      const isUnquoted = issue.expected === "string" && isScalar(valueAt(whole, path));
      const hint = isUnquoted ? 'Write it in quotes: "…".' : DOCS;
      return [{ path, what: `${name} is not ${wanted}`, hint }];
    }
    case "unrecognized_keys": {
      const known = Object.keys(schemaAt(json, path, whole)?.properties ?? {});
      return issue.keys.map((key) => {
        const meant = nearest(key, known);
        const told = Object.hasOwn(OTHER_NAMES, key) ? OTHER_NAMES[key] : undefined;
        return {
          path: [...path, key],
          what: `${nameOf([...path, key])} is not a known key`,
          hint:
            told ??
            `${meant === null ? "" : `Did you mean ${meant}? `}Known are ${known.join(", ")}.`,
          meant: meant === null ? [] : [[...path, meant].join("\n")],
        };
      });
    }
    case "invalid_union": {
      const model = valueAt(whole, path);
      const contradiction = isMap(model) && contradictionIn(model);
      if (contradiction)
        return [{ path, what: `${name} ${contradiction.what}`, hint: contradiction.hint }];
      const option = optionOf(model);
      const issues = issue.errors[option] ?? [];
      return issues.flatMap((inner) => explain(inner, path, whole, json));
    }
    case "invalid_value": {
      if (valueAt(whole, path) === undefined) {
        return [{ path, what: `${name} is missing`, hint: DOCS, isMissing: true }];
      }
      const known = issue.values.map(String);
      const meant = nearest(String(valueAt(whole, path)), known);
      const what = `${name} is none of ${known.join(", ")}`;
      return [{ path, what, hint: meant === null ? DOCS : `Did you mean ${meant}?` }];
    }
    case "invalid_key":
      return [{ path, what: `${name} ${issue.issues[0]?.message ?? "is not a name"}`, hint: DOCS }];
    case "too_small":
      return [{ path, what: `${name} is too small`, hint: limitHint(issue) }];
    case "too_big":
      return [{ path, what: `${name} is too large`, hint: limitHint(issue) }];
    default: {
      const [what = "", hint = DOCS] = issue.message.split(". ");
      return [{ path, what: `${name} ${what}`, hint }];
    }
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map of keys",
  record: "a map of keys",
  array: "a list",
};

function limitHint(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const of = { array: " items", string: " characters" }[issue.origin as string] ?? "";
  if (issue.code === "too_small") {
    return `Give ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}${of}.`;
  }
  return `Give at most ${issue.maximum}${of}.`;
}

/**
 * Which form of a model was meant: whoever names one wants it, with its alias or its
 * version. In the order of the union in the schema.
 */
function optionOf(value: unknown): number {
  if (!isMap(value) || "code" in value || !("name" in value)) return 0;
  return "alias" in value ? 2 : 1;
}

function contradictionIn(model: Readonly<Record<string, unknown>>) {
  if ("code" in model && "name" in model) {
    return {
      what: "has both code and name",
      hint: "code is registered as it is deployed, name is registered already: keep one of them.",
    };
  }
  if (!("name" in model)) return null;
  if ("version" in model === "alias" in model) {
    return {
      what: `has ${"version" in model ? "both" : "neither"} version ${"version" in model ? "and" : "nor"} alias`,
      hint: "Say which version is served: version: 7, or alias: champion.",
    };
  }
  return null;
}

function schemaAt(json: JsonSchema, path: Path, whole: unknown): JsonSchema | undefined {
  let at: JsonSchema | undefined = json;
  for (let depth = 0; at; depth++) {
    if (at.anyOf) at = at.anyOf[optionOf(valueAt(whole, path.slice(0, depth)))];
    const step = path[depth];
    if (step === undefined) return at;
    const other: JsonSchema | boolean | undefined = at?.items ?? at?.additionalProperties;
    at = at?.properties?.[step] ?? (typeof other === "object" ? other : undefined);
  }
  return undefined;
}

function valueAt(whole: unknown, path: Path): unknown {
  let at = whole;
  for (const step of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string | number, unknown>)[step]; // it has such a key, as was just seen
  }
  return at;
}

function isScalar(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean";
}

/** `deployment.environment_vars.PORT`, `model.requirements[2]`. */
function nameOf(path: Path): string {
  const text = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
  return text === "" ? "the file" : text.replace(/^\./, "");
}
