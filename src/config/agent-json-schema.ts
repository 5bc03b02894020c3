/** The JSON Schema of `agent.yaml`, from which editors complete and check while one types. */
import * as z from "zod";
import { agentFileSchema } from "./agent-schema.ts";

type Schema = { readonly [key: string]: unknown };

export function agentJsonSchema(): Schema {
  const whole = z.toJSONSchema(agentFileSchema, { io: "input" }) as Schema; // that is its form
  const agent = at(whole, "properties", "agent");
  const { environments, ...rest } = at(agent, "properties");
  return {
    ...whole,
    title: "agent.yaml of dspy-databricks-agents",
    properties: {
      agent: {
        ...agent,
        properties: {
          ...rest,
          environments: {
            ...at({ environments }, "environments"),
            additionalProperties: partial({ ...agent, properties: rest }),
          },
        },
      },
    },
  };
}

function at(schema: Schema, ...keys: readonly string[]): Schema {
  // zod wrote an object there, or the test of the file fails.
  return keys.reduce((value, key) => value[key] as Schema, schema);
}

/** An environment may leave out any key, and take one away with null. */
function partial(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(partial);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !(key === "required" && Array.isArray(item)) && key !== "default")
      .map(([key, item]) => [key, partial(item)]),
  );
}
