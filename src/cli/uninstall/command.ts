/** `dspy-databricks uninstall`: what the product made in a workspace for an agent, listed, then removed. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { type ObjectKind, objectKinds } from "../../deploy/uninstall/found-object.ts";
import { planUninstall, type UninstallObject } from "../../deploy/uninstall/uninstall.ts";
import { loadAgentConfig } from "../../deployment.ts";
import { dataDirectoryOf } from "../../monitor-client/data-directory.ts";
import { fileNameOf } from "../../monitor-client/settings-files.ts";
import { MonitorError } from "../../monitor-error.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import { EXIT } from "../exit-code.ts";
import { parseOutput } from "../parse-output.ts";
import { refuseUnused } from "../unused-option.ts";
import { workspaceClient } from "../workspace-client.ts";

const REASON_MAX_CHARS = 500;

const examples = `
Examples:
  $ dspy-databricks uninstall agent.yaml --env prod --dry-run
  $ dspy-databricks uninstall agent.yaml --env prod            lists, then asks
  $ dspy-databricks uninstall agent.yaml --env prod --only alert,destination --yes
  $ dspy-databricks uninstall agent.yaml --env prod --models   with the registered model itself
  $ dspy-databricks uninstall agent.yaml --env prod --tables   with the rows of all agents there

What has not the mark of dspy-databricks-agents stays, and so do schemas, inference tables and what
is on this machine; the list says why, and what removes it.
Run it again after a failure: it goes on where it was stopped. docs/uninstall.md

Kinds: ${objectKinds.join(", ")}

Exit codes: 0 done, 1 something could not be removed, 2 wrong usage or not confirmed, 3 refused or unreachable.`;

type RawOptions = {
  readonly env?: string;
  readonly models?: boolean;
  readonly tables?: boolean;
  readonly only?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly profile?: string;
  readonly output: string;
};

export function uninstallCommand(): Command {
  return new Command("uninstall")
    .summary("remove what was made in a workspace for an agent")
    .description(
      "List what was made in a workspace for an agent, and remove it once that is\n" +
        "confirmed: endpoint, versions of its model, notebook, alerts and whom they tell,\n" +
        "dashboards.",
    )
    .argument("<agent.yaml>", "the agent that was deployed")
    .option("--env <name>", "the environment of the file, such as prod")
    .option("--models", "with the registered model, where no version of it stays")
    .option(
      "--tables",
      "with the Delta tables, their volume and the job of roll-ups, which agents share",
    )
    .option("--only <kinds>", "only these kinds, such as alert,destination")
    .option("--dry-run", "list only")
    .option("--yes", "do not ask")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (file: string, raw: RawOptions, command: Command) => {
      const output = parseOutput(raw.output);
      const only = parseKinds(raw.only);
      checkTogether(command, { only, dryRun: raw.dryRun ?? false });
      const config = await loadAgentConfig(file, { environment: raw.env });
      const client = workspaceClient(raw.profile);
      const endpointName = config.deployment.servingEndpoint;
      process.stderr.write(`Looking for what was made for ${endpointName} on ${client.host}\n`);
      const { tables = false, models = false } = raw;
      const uninstall = await planUninstall({ client, config, tables, models, only });
      const print = (objects: readonly UninstallObject[], all = objects) => {
        const result = { host: client.host, endpointName, objects };
        process.stdout.write(
          output === "json" ? `${JSON.stringify(result, null, 2)}\n` : textOf(objects),
        );
        if (all.some(({ outcome }) => outcome === "failed")) process.exitCode = EXIT.failed;
      };
      const planned = uninstall.objects.filter(({ outcome }) => outcome === "planned");
      if (raw.dryRun || planned.length === 0) {
        print(uninstall.objects);
        return;
      }
      if (!raw.yes) {
        process.stderr.write(textOf(uninstall.objects));
        await confirm(planned.length, client.host);
      }
      // Told as it happens: in text it is the result itself.
      const told = output === "json" ? process.stderr : process.stdout;
      const done = await uninstall.run((object) => told.write(textOf([object])));
      print(output === "json" ? done : done.filter(({ outcome }) => outcome === "stays"), done);
      tellWhatGoesOn(client.host, endpointName);
    });
}

/** What goes only when it is asked for. */
const goneWith: Readonly<Record<string, readonly ObjectKind[]>> = {
  "--models": ["model"],
  "--tables": ["job", "notebook", "folder", "table", "volume"],
};

function checkTogether(
  command: Command,
  { only, dryRun }: { readonly only: readonly ObjectKind[] | undefined; readonly dryRun: boolean },
): void {
  if (dryRun) {
    refuseUnused(command, ["--yes"], {
      beside: "with --dry-run",
      hint: "Nothing is removed, so nothing is asked: leave one of the two out.",
    });
  }
  if (only === undefined) return;
  for (const [flag, kinds] of Object.entries(goneWith)) {
    if (kinds.some((kind) => only.includes(kind))) continue;
    refuseUnused(command, [flag], {
      beside: `with --only ${only.join(",")}`,
      hint: `Leave it out, or name one of its kinds in --only, too: ${kinds.join(", ")}.`,
    });
  }
}

/** A monitor follows what deployments left here: its alerts, and the export. */
function tellWhatGoesOn(host: string, endpointName: string): void {
  const directory = dataDirectoryOf(host);
  const file = `${fileNameOf(endpointName)}.json`;
  const kept = ["alerts", "export-settings"]
    .map((folder) => join(directory, folder, file))
    .filter((path) => existsSync(path));
  if (kept.length === 0) return;
  process.stderr.write(
    `A monitor here goes on with what is set for ${endpointName}. To end that, delete ${kept.join(" and ")}\n`,
  );
}

function parseKinds(text: string | undefined): ObjectKind[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !objectKinds.some((kind) => kind === name));
  if (unknown === undefined) return objectKinds.filter((kind) => names.includes(kind));
  throw new MonitorError("USAGE_INVALID", `--only can't be "${unknown}"`, {
    hint: `Give some of ${objectKinds.join(", ")}, with commas between.`,
  });
}

async function confirm(count: number, host: string): Promise<void> {
  if (process.stdin.isTTY && process.stderr.isTTY) {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await lines.question(`Remove these ${count} on ${host}? Type yes: `);
    lines.close();
    if (answer.trim().toLowerCase() === "yes") return;
  }
  throw new MonitorError("USAGE_INVALID", `nothing was removed: ${count} objects wait for a yes`, {
    hint: "Give --yes to remove what is listed, or --dry-run to list it only.",
  });
}

const words: Readonly<Record<UninstallObject["outcome"], string>> = {
  planned: "would go",
  removed: "removed",
  stays: "stays",
  failed: "failed",
};

function textOf(objects: readonly UninstallObject[]): string {
  if (objects.length === 0) return "Nothing of it is there.\n";
  return objects
    .map(({ kind, name, outcome, reason }) => {
      const why =
        reason === undefined ? "" : `: ${foreignLine(reason, { maxChars: REASON_MAX_CHARS })}`;
      return `${words[outcome].padEnd(9)} ${kind.padEnd(13)} ${name}${why}\n`;
    })
    .join("");
}
