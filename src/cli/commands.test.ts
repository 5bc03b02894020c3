/** The overview is written by hand, so that it loads no command: here it is held against them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Help } from "commander";
import { commands, commandsFor, nameOf } from "./commands.ts";

for (const entry of commands) {
  test(`the overview says of ${nameOf(entry)} what the command says of itself`, async () => {
    const command = await entry.load();
    const { term, summary } = entry;
    assert.deepEqual(
      { term, summary },
      { term: new Help().subcommandTerm(command), summary: command.summary() },
    );
  });
}

for (const [args, loaded] of [
  [[], []],
  [["--help"], []],
  [["--version"], []],
  [["unknown"], []],
  [["query", "SELECT 1"], ["query"]],
  [["query", "deploy"], ["query"]],
  [["status", "--help"], ["status"]],
  [["help", "status"], ["status"]],
  [["help"], []],
] as const) {
  test(`dspy-databricks ${args.join(" ")} loads ${loaded.join() || "nothing"}`, async () => {
    const found = await commandsFor(args);
    assert.deepEqual(
      found.map((command) => command.name()),
      commands.map(nameOf),
    );
    const whole = found.filter((command) => command.description() !== "");
    assert.deepEqual(
      whole.map((command) => command.name()),
      loaded,
    );
  });
}
