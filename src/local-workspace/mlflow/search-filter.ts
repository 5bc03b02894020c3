/**
 * The part of MLflow's search filters that is understood here: equality and inequality
 * of attributes, tags and params, joined by AND. Anything else is refused, and not
 * taken for something that it is not. Pure.
 */
import { Refusal } from "../databricks-error.ts";

type Kind = "attributes" | "tags" | "params";
export type Condition = {
  readonly kind: Kind;
  readonly key: string;
  readonly isEqual: boolean;
  readonly value: string;
};

const CONDITION =
  /^(?:(attributes?|attr|tags?|params?|parameters?)\.)?(?:`([^`]+)`|"([^"]+)"|([\w.-]+))\s*(=|!=)\s*(?:'([^']*)'|"([^"]*)")$/i;

/** @throws Refusal `NOT_IMPLEMENTED` for what is not understood. */
export function parseFilter(filter: string): readonly Condition[] {
  if (filter.trim() === "") return [];
  return filter
    .trim()
    .split(/\s+AND\s+/i)
    .map((text) => {
      const [, kind = "attributes", ticked, quoted, plain, operator, single, double] =
        CONDITION.exec(text.trim()) ?? [];
      const key = ticked ?? quoted ?? plain;
      if (key === undefined) {
        throw new Refusal(
          "NOT_IMPLEMENTED",
          `The local workspace does not understand the filter "${text}": it knows = and != of attributes, tags and params, joined by AND.`,
        );
      }
      return {
        kind: kindOf(kind.toLowerCase()),
        key,
        isEqual: operator === "=",
        value: single ?? double ?? "",
      };
    });
}

function kindOf(name: string): Kind {
  if (name.startsWith("tag")) return "tags";
  return name.startsWith("param") ? "params" : "attributes";
}

export type Searched = Partial<Readonly<Record<Kind, Readonly<Record<string, string>>>>>;

/** What is not there equals nothing, and differs from nothing. */
export function matchesFilter(conditions: readonly Condition[], searched: Searched): boolean {
  return conditions.every(({ kind, key, isEqual, value }) => {
    const has = searched[kind]?.[key];
    return has !== undefined && (has === value) === isEqual;
  });
}
