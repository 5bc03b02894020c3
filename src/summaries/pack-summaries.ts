/** Summaries on their way from one thread to another: as bytes, with the names that stand in them. */
import type { AgentSummaries, ReadSummaries } from "./read-summaries.ts";
import { Summary } from "./summary.ts";
import { decodeHead, decodeParts, encodeHead, encodeParts, type Names } from "./summary-codec.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export type PackedSummaries = Omit<ReadSummaries, "agents"> & {
  readonly texts: readonly string[];
  readonly agents: readonly PackedAgent[];
};

type PackedAgent = Omit<AgentSummaries, "total" | "before" | "steps"> & {
  readonly head: Bytes;
  readonly parts: Bytes;
  readonly before: Bytes | null;
  readonly steps: readonly (Bytes | null)[];
};

export function packed({ agents, ...read }: ReadSummaries): PackedSummaries {
  const texts: string[] = [];
  const ids = new Map<string, number>();
  const names: Names = {
    idOf(text) {
      let id = ids.get(text);
      if (id === undefined) {
        id = texts.push(text);
        ids.set(text, id);
      }
      return id;
    },
    textOf() {
      throw new Error("what is packed is only written");
    },
  };
  const head = (summary: Summary | null) => summary && encodeHead(summary, names);
  return {
    ...read,
    texts,
    agents: agents.map(({ total, before, steps, ...agent }) => ({
      ...agent,
      head: encodeHead(total, names),
      parts: encodeParts(total, names),
      before: head(before),
      steps: steps.map(head),
    })),
  };
}

export function unpacked({ texts, agents, ...read }: PackedSummaries): ReadSummaries {
  const names: Names = {
    idOf() {
      throw new Error("what is unpacked is only read");
    },
    textOf: (id) => texts[id - 1] ?? "?",
  };
  const decoded = (bytes: Bytes | null) => {
    if (bytes === null) return null;
    const summary = new Summary();
    decodeHead(bytes, summary, names);
    return summary;
  };
  return {
    ...read,
    agents: agents.map(({ head, parts, before, steps, ...agent }) => {
      const total = decoded(head) ?? new Summary();
      decodeParts(parts, total, names);
      return { ...agent, total, before: decoded(before), steps: steps.map(decoded) };
    }),
  };
}
