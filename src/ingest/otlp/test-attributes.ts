/** Attributes of spans for tests: written by key, where decoders hand on a row of values. */
import { agentAttributes } from "./agent-attributes.ts";
import { type AttributeKeys, attributeKeys } from "./attribute-keys.ts";
import type { Attributes, AttributeValue, OtlpSpan, SpanReader } from "./otlp-span.ts";

/** Those that agents tell something with. A key that nobody reads is a mistake of the test. */
export function rowOf(attributes: Readonly<Record<string, AttributeValue>>): Attributes {
  const row: (AttributeValue | undefined)[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    const place = agentAttributes.places.get(key);
    if (place === undefined) throw new Error(`nobody reads ${key}`);
    row[place] = value;
  }
  return row;
}

/** A span with its attributes by key, which stays as it is while the next ones are decoded. */
export type KeptSpan = Omit<OtlpSpan, "attributes" | "resource"> & {
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** The same map for all spans of a resource. */
  readonly resource: ReadonlyMap<string, AttributeValue>;
};

export function keptSpans(keys: Iterable<string>): SpanReader<KeptSpan> {
  const read = attributeKeys([...new Set(keys)]);
  const resources = new WeakMap<Attributes, ReadonlyMap<string, AttributeValue>>();
  return {
    keys: read,
    read(span) {
      const resource = resources.get(span.resource) ?? byKey(read, span.resource);
      resources.set(span.resource, resource);
      return { ...span, attributes: byKey(read, span.attributes), resource };
    },
  };
}

function byKey({ places }: AttributeKeys, row: Attributes): ReadonlyMap<string, AttributeValue> {
  const found = new Map<string, AttributeValue>();
  for (const [key, place] of places) {
    const value = row[place];
    if (value !== undefined) found.set(key, value);
  }
  return found;
}
