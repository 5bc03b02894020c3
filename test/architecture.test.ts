/**
 * The architecture as a table: every folder of `src/`, and what it may import.
 * `ARCHITECTURE.md` says why; this test keeps it true.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const mayImport: Readonly<Record<string, readonly string[]>> = {
  signals: [],
  config: ["signals"],
  deploy: [
    "signals",
    "config",
    "databricks",
    "ingest",
    "health",
    "dashboards",
    "history/tables.ts",
    "history/databricks-tables.ts",
    "export",
    "monitor-client",
    "notify",
    "publish",
    "rollups",
    "rules",
  ],
  "deployment.ts": ["config", "databricks", "deploy", "monitor-client"],
  "testing.ts": ["local-workspace"],
  databricks: [],
  "databricks.ts": ["databricks"],
  ingest: ["signals"],
  store: ["signals"],
  live: ["signals"],
  history: ["signals", "store", "summaries", "state"],
  summaries: ["signals", "live"],
  rollups: [
    "ingest",
    "databricks/jobs.ts",
    "dashboards/notebook/python-text.ts",
    "history/databricks-tables.ts",
  ],
  metrics: ["signals"],
  errors: ["signals"],
  health: ["signals", "databricks"],
  dashboards: ["signals", "rules", "history/tables.ts", "history/databricks-tables.ts"],
  export: [
    "signals",
    "metrics",
    "errors",
    "health",
    "databricks",
    "history",
    "store",
    // What is forwarded is what was received: who reads OTLP also rewrites it.
    "ingest/otlp/passed-on.ts",
  ],
  instrument: ["signals", "metrics"],
  publish: [
    "signals",
    "rules",
    "notify",
    "databricks",
    "dashboards",
    "history/tables.ts",
    "history/databricks-tables.ts",
    "export",
    "metrics",
    "errors",
    "health",
    "rollups",
  ],
  "monitoring.ts": [
    "metrics",
    "errors",
    "health",
    "publish",
    "export",
    "instrument",
    "signals",
    "dashboards",
  ],
  backup: ["signals", "store", "history", "monitor-client"],
  rules: ["signals"],
  notify: ["signals"],
  doctor: ["signals", "config", "databricks", "export", "history", "monitor-client"],
  "monitor-client": ["signals", "rules", "notify"],
  sources: ["signals", "ingest", "databricks", "store"],
  state: ["signals", "ingest", "live", "rules", "notify", "store"],
  monitor: ["signals", "ingest", "live", "rules", "notify", "store", "state", "history"],
  // Of the page, the server imports only the types of the JSON API.
  server: [
    "signals",
    "live",
    "summaries",
    "rules",
    "store/journal-part.ts",
    "state",
    "monitor",
    "web/api.ts",
  ],
  web: [],
  "local-workspace": [],
  cli: [
    "backup",
    "deploy/uninstall/found-object.ts",
    "deploy/uninstall/uninstall.ts",
    "signals",
    "config",
    "deployment.ts",
    "databricks",
    "databricks.ts",
    "dashboards",
    "export",
    "publish",
    "live",
    "rules",
    "notify",
    "sources",
    "server",
    "store",
    "history",
    "summaries",
    "rollups",
    "ingest/span-table/columns.ts",
    "local-workspace",
    "doctor",
    "monitor-client",
    "monitor",
  ],
};

/** Open to every part but the two that import nothing of ours. */
const open = ["monitor-error.ts", "clock.ts", "option.ts", "make-directory.ts", "file-failure.ts"];
const closed = ["web", "local-workspace"];

/** `src/rules/evaluate.ts` → `rules`; `src/clock.ts` → `clock.ts`. */
const partOf = (path: string) => path.split("/")[1] ?? "";

export function violations(file: string, text: string): string[] {
  const part = partOf(file);
  if (open.includes(part)) return [];
  const allowed = mayImport[part];
  if (!allowed) return [`src/${part} is new: add it to the table in test/architecture.test.ts.`];

  return Array.from(
    text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g),
    (match) => match[1] ?? "",
  )
    .filter((specifier) => {
      const target = join(dirname(file), specifier);
      const isOwn = partOf(target) === part;
      const isOpen = open.includes(partOf(target)) && !closed.includes(part);
      const isAllowed = allowed.some((name) => target === `src/${name}` || partOf(target) === name);
      return !isOwn && !isOpen && !isAllowed;
    })
    .map(
      (specifier) =>
        `${file} imports ${specifier}, but ${part} may import only: ${allowed.join(", ") || "nothing"}.`,
    );
}

for (const file of globSync("src/**/*.{ts,tsx}").filter((path) => !/\.test\.ts$/.test(path))) {
  test(file, () => {
    const text = readFileSync(file, "utf8");
    assert.deepEqual(violations(file, text), []);
    assert.match(
      text,
      /^(?:\/\/ biome-ignore[^\n]*\n+)?\/\*\*?\s/,
      `${file} does not say in its first lines what it is for`,
    );
  });
}

test("sees static, type-only, re-exported and dynamic imports", () => {
  const text = [
    'import { startServer } from "../server/server.ts";',
    'import type { Journal } from "../store/journal.ts";',
    'export { x } from "../cli/x.ts";',
    'import "../web/page.ts";',
    'await import("../notify/slack/slack-channel.ts");',
    'import type { AlertState } from "../signals/alert.ts";',
  ].join("\n");
  assert.equal(violations("src/rules/example.ts", text).length, 5);
});
