/** What `dspy-databricks monitor` was asked to do: its options, checked against each other. */

import type { WantedExport } from "../../export/schedule/wanted-exports.ts";
import { MonitorError } from "../../monitor-error.ts";
import { DEFAULT_PORT } from "../../server/server.ts";
import { parseDurationMs } from "../duration.ts";
import { parseOutput } from "../parse-output.ts";
import { parsePort } from "../parse-port.ts";
import { parseExport } from "./export-options.ts";

/** As commander reads them. */
export type RawOptions = {
  readonly local?: boolean;
  /** `false` after `--no-workspace`. */
  readonly workspace: boolean;
  readonly profile?: string;
  readonly port: string;
  readonly dataDir?: string;
  readonly for?: string;
  readonly output: string;
  readonly slackWebhook?: string;
  readonly priceBook?: string;
  /** `false` after `--no-history`. */
  readonly history: boolean;
  readonly mlflow?: string;
  readonly experiment?: readonly string[];
  readonly warehouse?: string;
  readonly app?: readonly string[];
  readonly spanTable?: readonly string[];
  readonly forward?: string;
  readonly forwardHeaders?: string;
  readonly forwardSignals?: string;
  readonly forwardContent?: boolean;
  readonly export?: string;
  readonly exportEvery?: string;
  readonly exportTimezone?: string;
  readonly exportWarehouse?: string;
  readonly exportWay?: string;
};

export type MlflowOptions = {
  /** The URL of a server, or `databricks`. */
  readonly server: string;
  /** Names or ids, at least one. */
  readonly experiments: readonly string[];
};

export type ForwardCommandOptions = {
  readonly url: string;
  /** `env:NAME` or `file:PATH`. */
  readonly headers: string | undefined;
  readonly signals: readonly ("traces" | "metrics")[];
  /** Whether prompts and answers go, too. */
  readonly content: boolean;
};

export type MonitorCommandOptions = {
  /** `credentials`: the workspace that they name; without any the local one, or only what `mlflow` names. */
  readonly watch: "credentials" | "local" | "nothing";
  readonly profile: string | undefined;
  readonly port: number;
  readonly dataDirectory: string | undefined;
  /** `null`: until it is stopped. */
  readonly forMs: number | null;
  readonly output: "text" | "json";
  /** `env:NAME` or `file:PATH`. */
  readonly slackWebhook: string | undefined;
  readonly mlflow: MlflowOptions | null;
  /** Names of the apps that are watched, also as `agent-*`; none: all. */
  readonly apps: readonly string[];
  /** The SQL warehouse that reads tables; `null`: none is read. */
  readonly warehouseId: string | null;
  /** Tables of spans that it reads. */
  readonly spanTables: readonly TablePath[];
  /** Where telemetry goes on to; `null`: nowhere. */
  readonly forward: ForwardCommandOptions | null;
  /** Whether Delta tables are written. */
  readonly history: boolean;
  /** Where they are exported to, beside what deployments ask for; `null`: nowhere. */
  readonly export: WantedExport | null;
  /** A file; without one only the built-in prices. */
  readonly priceBook: string | undefined;
};

export type TablePath = readonly [catalog: string, schema: string, name: string];

/** Most tables of spans that one monitor reads. */
const SPAN_TABLES_MAX = 20;
/** Most experiments that one monitor reads. */
const EXPERIMENTS_MAX = 20;

export const defaults = { port: String(DEFAULT_PORT), output: "text" } as const;

/** @throws MonitorError `USAGE_INVALID`. */
export function checkOptions(raw: RawOptions): MonitorCommandOptions {
  if (raw.local && !raw.workspace) throw conflict("--local", "--no-workspace");
  if (raw.local && raw.profile !== undefined) throw conflict("--local", "--profile");
  if (!raw.workspace && raw.profile !== undefined) throw conflict("--no-workspace", "--profile");
  if (raw.local && raw.mlflow !== undefined) throw conflict("--local", "--mlflow");
  if (raw.local && raw.warehouse !== undefined) throw conflict("--local", "--warehouse");
  if (!raw.workspace && raw.warehouse !== undefined) {
    throw conflict("--no-workspace", "--warehouse");
  }
  return {
    watch: raw.local ? "local" : raw.workspace ? "credentials" : "nothing",
    profile: raw.profile,
    port: parsePort(raw.port),
    dataDirectory: raw.dataDir,
    forMs: raw.for === undefined ? null : parseDurationMs("--for", raw.for),
    output: parseOutput(raw.output),
    slackWebhook: raw.slackWebhook,
    mlflow: parseMlflow(raw),
    apps: parseApps(raw),
    warehouseId: parseWarehouse(raw.warehouse),
    spanTables: parseSpanTables(raw),
    forward: parseForward(raw),
    history: raw.history,
    export: parseExport(raw),
    priceBook: raw.priceBook,
  };
}

function conflict(one: string, other: string): MonitorError {
  return new MonitorError("USAGE_INVALID", `${one} and ${other} exclude each other`, {
    hint: "Give one of them: they choose what is watched.",
  });
}

function parseWarehouse(id: string | undefined): string | null {
  if (id === undefined) return null;
  if (/^[\w-]{1,64}$/.test(id)) return id;
  // Not quoted: what stands here by mistake may be a token.
  throw new MonitorError("USAGE_INVALID", "--warehouse is not the id of a SQL warehouse", {
    hint: "Give its id, such as 1a2b3c4d5e6f7a8b, which stands beside its name in Databricks.",
  });
}

function parseApps({ app = [], local, workspace }: RawOptions): readonly string[] {
  if (app.length > 0 && local) throw conflict("--local", "--app");
  if (app.length > 0 && !workspace) throw conflict("--no-workspace", "--app");
  if (app.every((name) => /^[a-z0-9-]{1,30}\*?$/.test(name))) return app;
  throw new MonitorError("USAGE_INVALID", "--app is not the name of an app", {
    hint: "Give its name, such as agent-support, or how several begin, such as 'agent-*'.",
  });
}

function parseSpanTables({ spanTable = [], warehouse }: RawOptions): TablePath[] {
  if (spanTable.length > 0 && warehouse === undefined) {
    throw new MonitorError("USAGE_INVALID", "--span-table needs --warehouse", {
      hint: "Name the SQL warehouse that reads it: --warehouse ID.",
    });
  }
  if (spanTable.length > SPAN_TABLES_MAX) {
    throw new MonitorError(
      "USAGE_INVALID",
      `${spanTable.length} tables of spans are more than the ${SPAN_TABLES_MAX} that one monitor reads`,
      { hint: "Start a monitor for each part of them, with a port and a --data-dir of its own." },
    );
  }
  return [...new Set(spanTable)].map((fullName) => {
    const [catalog, schema, name, ...more] = fullName.split(".");
    if (catalog && schema && name && more.length === 0) return [catalog, schema, name];
    throw new MonitorError("USAGE_INVALID", "--span-table is not the name of a table", {
      hint: "Give catalog, schema and name, such as main.agents.support_otel_spans.",
    });
  });
}

function parseForward(raw: RawOptions): ForwardCommandOptions | null {
  const { forward: url, forwardHeaders: headers, forwardSignals, forwardContent = false } = raw;
  if (url === undefined) {
    const alone = [
      [headers, "--forward-headers"],
      [forwardSignals, "--forward-signals"],
      [forwardContent || undefined, "--forward-content"],
    ].find(([given]) => given !== undefined)?.[1];
    if (alone === undefined) return null;
    throw new MonitorError("USAGE_INVALID", `${alone} needs --forward`, {
      hint: "Say where telemetry goes on to: --forward http://HOST:4318.",
    });
  }
  return { url, headers, signals: parseSignals(forwardSignals), content: forwardContent };
}

function parseSignals(text = "traces,metrics"): ForwardCommandOptions["signals"] {
  const known = ["traces", "metrics"] as const;
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => known.some((signal) => signal === name))) {
    return known.filter((signal) => names.includes(signal));
  }
  throw new MonitorError("USAGE_INVALID", "--forward-signals names a signal that is not known", {
    hint: "Give traces, metrics or traces,metrics.",
  });
}

function parseMlflow({ mlflow, experiment = [] }: RawOptions): MlflowOptions | null {
  if (mlflow === undefined && experiment.length === 0) return null;
  if (mlflow === undefined) {
    throw new MonitorError("USAGE_INVALID", "--experiment needs --mlflow", {
      hint: "Say whose experiment it is: --mlflow http://HOST:PORT or --mlflow databricks.",
    });
  }
  if (experiment.length === 0 || experiment.includes("")) {
    throw new MonitorError("USAGE_INVALID", "--mlflow needs --experiment", {
      hint: "Name the experiment that the agent's traces go to: --experiment NAME, once for each.",
    });
  }
  if (experiment.length > EXPERIMENTS_MAX) {
    throw new MonitorError(
      "USAGE_INVALID",
      `${experiment.length} experiments are more than the ${EXPERIMENTS_MAX} that one monitor reads`,
      { hint: "Start a monitor for each part of them, with a port and a --data-dir of its own." },
    );
  }
  if (mlflow !== "databricks" && !/^https?:\/\/./i.test(mlflow)) {
    // Not quoted: what stands here by mistake may be a token.
    throw new MonitorError("USAGE_INVALID", "--mlflow is neither a URL nor databricks", {
      hint: "Give --mlflow http://HOST:PORT or --mlflow databricks.",
    });
  }
  return { server: mlflow, experiments: experiment };
}
