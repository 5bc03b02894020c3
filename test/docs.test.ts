/** What the docs show is true: their commands run, their links lead somewhere, their pictures are there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { readAgentConfig } from "../src/config/agent-config.ts";

const scripts: Record<string, string> = JSON.parse(readFileSync("package.json", "utf8")).scripts;

/** What `docs-typescript.ts` runs. */
const tests = globSync("{src,test}/**/*.test.ts")
  .map((path) => readFileSync(path, "utf8"))
  .join("\n");

for (const doc of globSync([
  "*.md",
  "docs/**/*.md",
  "examples/**/*.md",
  "fixtures/telemetry/*.md",
  "python/*.md",
])) {
  const text = readFileSync(doc, "utf8");
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "");

  for (const [, target = ""] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(target)) continue;
    test(`${doc}: ${target} is there`, () => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? doc : join(dirname(doc), path);
      assert.ok(existsSync(file), file);
      if (anchor)
        assert.ok(anchors(readFileSync(file, "utf8")).includes(anchor), `no heading ${anchor}`);
    });
  }

  for (const [, language = "", block = ""] of text.matchAll(
    /^(?:```|~~~)(\w*)\n([\s\S]*?)^(?:```|~~~)/gm,
  )) {
    if (language === "") continue;
    if (language === "json") continue; // compared with the file that it shows, where that is tested
    test(`${doc}: the ${language} block "${block.split("\n")[0]}" runs`, () => {
      if (language === "ts") {
        const isRun = [`testExamples("${doc}"`, `PAGE = "${doc}"`].some((by) => tests.includes(by));
        assert.ok(isRun, `no test runs the examples of ${doc}`);
        return;
      }
      if (language === "sql") {
        assert.ok(tests.includes(`PAGE = "${doc}"`), `no test runs the SQL of ${doc}`);
        return;
      }
      if (language === "yaml") {
        for (const environment of [undefined, ...environmentsOf(block)]) {
          readAgentConfig(block, { file: doc, environment });
        }
        return;
      }
      // The call that everything in test/peers/live-program.py begins with.
      if (language === "python" && block.includes("instrument()")) return;
      assert.ok(language === "sh", `say in test/docs.test.ts how to run ${language}`);
      for (const command of block.trim().split(/\n| && /)) runsCommand(command);
    });
  }
}

function environmentsOf(agentYaml: string): string[] {
  return Object.keys(parse(agentYaml).agent.environments ?? {});
}

function runsCommand(command: string): void {
  if (/^export \w+=/.test(command)) return;
  if (/^npm (install|install-test)$/.test(command)) return; // how this test came to run
  // test/peers/python-callback.test.ts installs the package and runs its tests.
  if (/^(pip install (-e )?"?\.\/python(\[dev\])?"?|cd python|pytest|ruff check)$/.test(command))
    return;
  const script = /^npm (?:run )?([\w:]+)/.exec(command)?.[1];
  if (script) {
    assert.ok(scripts[script], `there is no script ${script}`);
    return;
  }
  const args = /^npx dspy-databricks (.*)$/.exec(command)?.[1]?.split(" ");
  assert.ok(args, `say in test/docs.test.ts how to run "${command}"`);
  runsCli(args.map((arg) => arg.replace("127.0.0.1:5000", "127.0.0.1:9")));
}

/** Runs it as it stands there, but briefly, on a free port, in a directory of its own, without credentials. */
function runsCli(args: readonly string[]): void {
  const directory = mkdtempSync(join(tmpdir(), "docs-"));
  const [command = ""] = args;
  const needsWorkspace =
    ["deploy", "rollback", "status"].includes(command) || args.includes("--warehouse");
  const briefly =
    args.includes("--help") || needsWorkspace
      ? []
      : [
          ...["--port", "0", "--data-dir", join(directory, "data")],
          ...(command === "doctor" ? [] : ["--for", "1s"]),
        ];
  const { DATABRICKS_HOST: _host, DATABRICKS_CONFIG_PROFILE: _profile, ...env } = process.env;
  const { status, stderr } = spawnSync(
    process.execPath,
    ["bin/dspy-databricks.js", ...args, ...briefly],
    {
      encoding: "utf8",
      timeout: 30_000,
      env: {
        ...env,
        SLACK_WEBHOOK_URL: "http://127.0.0.1:9/services/T0/B0/x",
        OTEL_EXPORTER_OTLP_HEADERS: "api-key=abc",
      },
    },
  );
  rmSync(directory, { recursive: true, force: true });
  // Without a workspace it goes as far as that: what it was told is right.
  if (needsWorkspace) assert.match(stderr, /^CREDENTIALS_MISSING:/);
  // There is no such server here; that it was looked for shows that the command is right.
  else if (args.includes("--mlflow"))
    assert.match(stderr, /^(MLFLOW_UNREACHABLE|CREDENTIALS_MISSING):/);
  else assert.equal(status, 0, stderr);
}

/** The anchors that GitHub gives headings. */
function anchors(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^#+ (.*)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}
