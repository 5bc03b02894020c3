/**
 * Reads summaries of a stretch of time while the history's process writes them: of all agents
 * as a list shows them, or of one with its charts and modules.
 */
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { cover, type Stretch, type Tier, tierOfSteps } from "./periods.ts";
import { type ErrorCause, Summary, type SummedGroup } from "./summary.ts";
import { decodeHead, decodeParts, type Names } from "./summary-codec.ts";
import { tierIds } from "./summary-store.ts";

/** A stretch of time from `fromMs` up to now, and the steps that it is drawn in. */
export type AskedStretch = {
  readonly fromMs: number;
  readonly chartFromMs: number;
  readonly stepMs: number;
  readonly steps: number;
  readonly nowMs: number;
};

export type GroupOverTime = SummedGroup & { readonly trend: readonly number[] };

export type AgentSummaries = {
  readonly agent: string;
  /** Without errors, which `groups` tells; in a list of agents without modules and models. */
  readonly total: Summary;
  readonly groups: readonly GroupOverTime[];
  readonly traffic: readonly number[];
  readonly trafficFailed: readonly number[];
  /** As long before. Not in a list of agents, as the steps. */
  readonly before: Summary | null;
  /** Requests; `null` where nothing happened. */
  readonly steps: readonly (Summary | null)[];
};

export type ReadSummaries = {
  /** Of what follows, the oldest; `null` before the first. */
  readonly sinceMs: number | null;
  /** When they were written. */
  readonly asOfMs: number | null;
  readonly agents: readonly AgentSummaries[];
};

const nothingRead: ReadSummaries = { sinceMs: null, asOfMs: null, agents: [] };

export class SummaryFile {
  readonly #path: string;
  #opened: Opened | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Agents of which nothing is known of that time are left out. */
  agents(asked: AskedStretch): ReadSummaries {
    return this.#read((opened) =>
      opened.agents().flatMap((agent) => inList(opened, agent, asked) ?? []),
    );
  }

  agent(name: string, asked: AskedStretch): ReadSummaries {
    return this.#read((opened) => {
      const agent = opened.agentNamed(name);
      const read = agent && inList(opened, agent, asked);
      return read ? [inDetail(opened, agent, { ...asked, read })] : [];
    });
  }

  close(): void {
    this.#opened?.database.close();
    this.#opened = null;
  }

  /** Everything as it is at one moment. */
  #read(act: (opened: Opened) => readonly AgentSummaries[]): ReadSummaries {
    if (!existsSync(this.#path)) return nothingRead;
    try {
      this.#opened ??= open(this.#path);
      const { database } = this.#opened;
      database.exec("BEGIN");
      const progress = database.prepare("SELECT sealed_ms, since_ms FROM progress").get();
      const agents = act(this.#opened);
      database.exec("COMMIT");
      const number = (value: unknown) => (value === undefined ? null : Number(value));
      return { sinceMs: number(progress?.since_ms), asOfMs: number(progress?.sealed_ms), agents };
    } catch (error) {
      // Set aside or removed since: the next question looks anew.
      this.close();
      throw error;
    }
  }
}

/** `null` where nothing is known of then. */
function inList(
  opened: Opened,
  agent: Agent,
  { fromMs, chartFromMs, stepMs, steps, nowMs }: AskedStretch,
): AgentSummaries | null {
  const stretches = cover(fromMs, nowMs, nowMs);
  const total = sumOfHeads(opened, agent, stretches);
  if (total === null) return null;
  const drawn = { tier: tierOfSteps(stepMs, chartFromMs, nowMs), stepMs, steps };
  const chart = { ...drawn, fromMs: chartFromMs, toMs: chartFromMs + steps * stepMs };
  const traffic = zeros(steps);
  const trafficFailed = zeros(steps);
  for (const { startMs, calls, failed } of opened.traffic(agent, chart)) {
    const step = Math.floor((startMs - chartFromMs) / stepMs);
    traffic[step] = (traffic[step] ?? 0) + calls;
    trafficFailed[step] = (trafficFailed[step] ?? 0) + failed;
  }
  const groups = groupsOf(opened, agent, { stretches, chart });
  return { agent: agent.name, total, groups, traffic, trafficFailed, before: null, steps: [] };
}

function inDetail(
  opened: Opened,
  agent: Agent,
  { read, fromMs, chartFromMs, stepMs, steps, nowMs }: AskedStretch & { read: AgentSummaries },
): AgentSummaries {
  for (const stretch of cover(fromMs, nowMs, nowMs)) {
    for (const { body } of opened.bodies("parts", agent, stretch)) {
      decodeParts(body, read.total, opened.names);
    }
  }
  const stepped = Array.from({ length: steps }, (): Summary | null => null);
  const tier = tierOfSteps(stepMs, chartFromMs, nowMs);
  const chart = { tier, fromMs: chartFromMs, toMs: chartFromMs + steps * stepMs };
  for (const { startMs, body } of opened.bodies("heads", agent, chart)) {
    const step = Math.floor((startMs - chartFromMs) / stepMs);
    const sum = stepped[step] ?? new Summary();
    decodeHead(body, sum, opened.names);
    stepped[step] = sum;
  }
  const before = sumOfHeads(opened, agent, cover(2 * fromMs - nowMs, fromMs, nowMs));
  return { ...read, steps: stepped, before };
}

function sumOfHeads(opened: Opened, agent: Agent, stretches: readonly Stretch[]): Summary | null {
  let sum: Summary | null = null;
  for (const stretch of stretches) {
    for (const { body } of opened.bodies("heads", agent, stretch)) {
      sum ??= new Summary();
      decodeHead(body, sum, opened.names);
    }
  }
  return sum;
}

type Chart = Stretch & { readonly stepMs: number; readonly steps: number };

function groupsOf(
  opened: Opened,
  agent: Agent,
  { stretches, chart }: { readonly stretches: readonly Stretch[]; readonly chart: Chart },
): GroupOverTime[] {
  const groups = new Map<number, GroupOverTime & { readonly trend: number[] }>();
  for (const stretch of stretches) {
    for (const { cause, count, handled, firstMs, lastMs } of opened.errors(agent, stretch)) {
      const known = groups.get(cause);
      if (known) {
        known.count += count;
        known.handled += handled;
        known.firstMs = Math.min(known.firstMs, firstMs);
        known.lastMs = Math.max(known.lastMs, lastMs);
        continue;
      }
      const named = opened.cause(cause);
      const trend = zeros(chart.steps);
      if (named) groups.set(cause, { ...named, count, handled, firstMs, lastMs, trend });
    }
  }
  if (groups.size === 0) return [];
  for (const { cause, startMs, count } of opened.errors(agent, chart)) {
    const step = Math.floor((startMs - chart.fromMs) / chart.stepMs);
    const trend = groups.get(cause)?.trend;
    if (trend) trend[step] = (trend[step] ?? 0) + count;
  }
  return [...groups.values()];
}

// ─── The file ───────────────────────────────────────────────────────────────

type Agent = { readonly id: number; readonly name: string };

type Opened = {
  readonly database: DatabaseSync;
  readonly names: Names;
  agents(): Agent[];
  agentNamed(name: string): Agent | null;
  bodies(table: "heads" | "parts", agent: Agent, stretch: Stretch): Row<{ body: Uint8Array }>[];
  traffic(agent: Agent, stretch: Stretch): Row<{ calls: number; failed: number }>[];
  errors(
    agent: Agent,
    stretch: Stretch,
  ): Row<{ cause: number; count: number; handled: number; firstMs: number; lastMs: number }>[];
  cause(id: number): { readonly group: string; readonly last: ErrorCause } | null;
};

type Row<T> = { readonly startMs: number } & Readonly<T>;

function open(path: string): Opened {
  const database = new DatabaseSync(path, { readOnly: true });
  const select = (columns: string, table: string) =>
    database.prepare(
      `SELECT start_ms AS startMs, ${columns} FROM ${table}
       WHERE tier = ? AND agent = ? AND start_ms >= ? AND start_ms < ?`,
    );
  const selected = {
    heads: select("body", "heads"),
    parts: select("body", "parts"),
    traffic: select("calls, failed", "heads"),
    errors: select("cause, count, handled, first_ms AS firstMs, last_ms AS lastMs", "errors"),
  };
  /** What `SummaryStore` wrote. */
  const rows = <T>(what: keyof typeof selected, { id }: Agent, { tier, fromMs, toMs }: Stretch) =>
    selected[what].all(tierIds[tier], id, fromMs, toMs) as Row<T>[];
  const name = database.prepare("SELECT text FROM names WHERE id = ?");
  const named = database.prepare("SELECT id FROM names WHERE text = ?");
  const cause = database.prepare("SELECT name, last FROM causes WHERE id = ?");
  // Days are kept longest: an agent of which there is anything has one.
  const day: Tier = "day";
  const agents = database.prepare(
    "SELECT id, text AS name FROM names WHERE id IN (SELECT DISTINCT agent FROM heads WHERE tier = ?)",
  );
  const texts = new Map<number, string>();
  return {
    database,
    names: {
      idOf() {
        throw new Error("summaries are only read here");
      },
      textOf(id) {
        let text = texts.get(id);
        if (text === undefined) {
          text = String(name.get(id)?.text ?? "?");
          texts.set(id, text);
        }
        return text;
      },
    },
    agents: () => agents.all(tierIds[day]) as Agent[],
    agentNamed(text) {
      const id = named.get(text)?.id;
      return id === undefined ? null : { id: Number(id), name: text };
    },
    bodies: (table, agent, stretch) => rows(table, agent, stretch),
    traffic: (agent, stretch) => rows("traffic", agent, stretch),
    errors: (agent, stretch) => rows("errors", agent, stretch),
    cause(id) {
      const found = cause.get(id);
      if (!found) return null;
      return { group: String(found.name), last: JSON.parse(String(found.last)) as ErrorCause };
    },
  };
}

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0);
}
