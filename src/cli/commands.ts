/**
 * Every command by name: what the overview says of it, and where it is. A command is
 * loaded when it is called; the overview is this table and loads none.
 */
import { Command } from "commander";
import { speakAlike } from "./speak-alike.ts";

export type CommandEntry = {
  /** As the overview shows it. The first word is the name. */
  readonly term: string;
  readonly summary: string;
  load(): Promise<Command>;
};

export const commands: readonly CommandEntry[] = [
  {
    term: "monitor [options]",
    summary: "watch DSPy agents: telemetry in; alerts, a page and /metrics out",
    load: async () => (await import("./monitor/command.ts")).monitorCommand(),
  },
  {
    term: "query [options] <sql>",
    summary: "ask the history of a monitor in SQL",
    load: async () => (await import("./query/command.ts")).queryCommand(),
  },
  {
    term: "deploy [options] <agent.yaml>",
    summary: "put an agent on Model Serving, with health checks and monitoring",
    load: async () => (await import("./deploy/command.ts")).deployCommand(),
  },
  {
    term: "rollback [options] <endpoint>",
    summary: "bring back the version that an endpoint served before",
    load: async () => (await import("./rollback/command.ts")).rollbackCommand(),
  },
  {
    term: "status [options] <endpoint>",
    summary: "what an endpoint serves, since when, and how it is",
    load: async () => (await import("./status/command.ts")).statusCommand(),
  },
  {
    term: "alerts",
    summary: "the alerts of agent.yaml: plan, apply, test",
    load: async () => (await import("./alerts/command.ts")).alertsCommand(),
  },
  {
    term: "dashboards",
    summary: "notebook, AI/BI and Grafana dashboard, Prometheus rules of an agent",
    load: async () => (await import("./dashboards/command.ts")).dashboardsCommand(),
  },
  {
    term: "export [options]",
    summary: "load the history of a monitor into Delta tables in Databricks",
    load: async () => (await import("./export/command.ts")).exportCommand(),
  },
  {
    term: "doctor [options] [agent.yaml]",
    summary: "what is missing or misconfigured, and what mends it",
    load: async () => (await import("./doctor/command.ts")).doctorCommand(),
  },
  {
    term: "backup [options]",
    summary: "what a monitor knows, in one file",
    load: async () => (await import("./backup/command.ts")).backupCommand(),
  },
  {
    term: "restore [options] <file>",
    summary: "a data directory out of a backup",
    load: async () => (await import("./restore/command.ts")).restoreCommand(),
  },
  {
    term: "uninstall [options] <agent.yaml>",
    summary: "remove what was made in a workspace for an agent",
    load: async () => (await import("./uninstall/command.ts")).uninstallCommand(),
  },
  {
    term: "rollups [options]",
    summary: "requests, modules and errors by hour and day, made by a Databricks job",
    load: async () => (await import("./rollups/command.ts")).rollupsCommand(),
  },
  {
    term: "local [options]",
    summary: "a Databricks workspace on this machine, for trying out and for tests",
    load: async () => (await import("./local/command.ts")).localCommand(),
  },
];

export function nameOf({ term }: CommandEntry): string {
  return term.split(" ", 1)[0] ?? term;
}

/**
 * All commands in their order; only the one that these arguments call, or ask about, can do
 * something.
 */
export function commandsFor(args: readonly string[]): Promise<Command[]> {
  const [first, second] = args.filter((argument) => !argument.startsWith("-"));
  const called = first === "help" ? second : first;
  return Promise.all(
    commands.map(async (entry) => {
      const name = nameOf(entry);
      return name === called
        ? speakAlike(await entry.load(), `dspy-databricks ${name}`)
        : new Command(name).summary(entry.summary);
    }),
  );
}
