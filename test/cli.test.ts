/**
 * What the command says, and its exit code: one text file of `test/cli/` per case.
 *
 *     <what the case shows>
 *
 *     NAME=value                                  environment, as many lines as it needs
 *     $ dspy-databricks monitor --port {PORT}     the command line
 *     exit 1
 *     stdout:
 *     stderr:
 *     | PORT_IN_USE: …                            one line of output each
 *
 * The names in braces are `places` below; what `test/cli/files/` holds is in `{DIR}`.
 * `UPDATE=1` writes down what is said now.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Journal, openJournal } from "../src/store/journal.ts";
import { quickStart } from "./quick-start.ts";

const bin = fileURLToPath(new URL("../bin/dspy-databricks.js", import.meta.url));
const casesDirectory = new URL("./cli/", import.meta.url);
const directory = mkdtempSync(join(tmpdir(), "cli-"));
/** Starting Node takes a fraction of a second; a command that hangs fails its case. */
const RUN_MAX_MS = 20_000;

/** What a case may name, by its value on this machine. */
const places = new Map<string, string>();
const servers: Server[] = [];
let locked: Journal;

before(async () => {
  places.set("DIR", directory);
  places.set("PORT", portOf(await serve((_, response) => response.end())));
  places.set("CLOSED_PORT", await closedPort());
  places.set("REFUSING_PORT", portOf(await serve(refuse)));
  places.set("FORBIDDING_PORT", portOf(await serve(forbid)));
  places.set("TELLING_PORT", portOf(await serve(tellToken)));
  places.set("PAGE_PORT", portOf(await serve(showPage)));
  places.set("MLFLOW_PORT", portOf(await serve(answerAsMlflow)));
  places.set("PID", String(process.pid));
  mkdirSync(join(directory, "home"));
  writeFileSync(join(directory, "file"), "");
  cpSync(new URL("files/", casesDirectory), directory, { recursive: true });
  writeFileSync(join(directory, "home", ".databrickscfg"), "[dev]\nhost = https://dev.example\n");
  ({ journal: locked } = await openJournal(join(directory, "locked")));
});

after(async () => {
  await locked.close();
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true });
});

const caseFiles = readdirSync(casesDirectory).filter((name) => name.endsWith(".txt"));
for (const file of caseFiles.sort()) {
  test(file.replace(/\.txt$/, ""), async () => {
    const path = new URL(file, casesDirectory);
    const written = readFileSync(path, "utf8");
    const { about, env, command } = readCase(written);
    const { exit, stdout, stderr } = await run(command, env);
    for (const said of [stdout, stderr]) {
      assert.doesNotMatch(said, /^ +at .*:\d+|node_modules|This is a bug/m);
      for (const secret of [SECRET, OTHER_SECRET]) {
        assert.ok(!said.includes(secret), `a secret is shown: ${said}`);
      }
    }
    const head = [...env.map(([name, value]) => `${name}=${value}`), `$ ${command}`];
    const now = `${about}\n\n${head.join("\n")}\nexit ${exit}\nstdout:\n${quoted(stdout)}stderr:\n${quoted(stderr)}`;
    if (process.env.UPDATE === "1") writeFileSync(path, now);
    else assert.equal(now, written);
  });
}

/** Stands for every token and webhook in the cases. */
const SECRET = "dapi0123456789abcdef";
/** One that the monitor was never given, so that it can be known by its form only. */
const OTHER_SECRET = `dapi${"89abcdef".repeat(4)}`;

type Case = {
  readonly about: string;
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly command: string;
};

function readCase(written: string): Case {
  const [, about = "", env = "", command = ""] =
    /^([\s\S]*?)\n\n((?:[A-Z_]+=.*\n)*)\$ (.*)\n/.exec(written) ?? [];
  assert.ok(command.startsWith("dspy-databricks"), "the case has no command line");
  return {
    about,
    command,
    env: env
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const equals = line.indexOf("=");
        return [line.slice(0, equals), line.slice(equals + 1)] as const;
      }),
  };
}

async function run(command: string, env: Case["env"]) {
  const [, ...args] = filled(command).split(" ");
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: RUN_MAX_MS,
    env: {
      PATH: process.env.PATH,
      ...quickStart,
      HOME: join(directory, "home"),
      ...Object.fromEntries(env.map(([name, value]) => [name, filled(value)])),
    },
  });
  const ended = new Promise<string>((resolve) => {
    child.once("close", (code, signal) => resolve(signal ?? String(code)));
  });
  const [exit, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { exit, stdout: masked(stdout), stderr: masked(stderr) };
}

function filled(line: string): string {
  return line.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = places.get(name);
    assert.ok(value !== undefined, `no place is called ${name}`);
    return value;
  });
}

/** The reverse of `filled`; a port that was free is `{FREE_PORT}`. */
function masked(said: string): string {
  let text = said;
  for (const [name, value] of places) {
    // A number is only masked where it stands for that.
    const before = name === "PID" ? "process " : name.endsWith("PORT") ? ":" : "";
    text = text.replaceAll(`${before}${value}`, `${before}{${name}}`);
  }
  return text.replaceAll(/(?<=127\.0\.0\.1:)\d{4,5}/g, "{FREE_PORT}");
}

function quoted(said: string): string {
  if (said === "") return "";
  return said.replace(/\n$/, "").split("\n").map(lineOf).join("");
}

function lineOf(line: string): string {
  return line === "" ? "|\n" : `| ${line}\n`;
}

// ─── Workspaces that do not let in ──────────────────────────────────────────

async function serve(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function portOf(server: Server): string {
  return String((server.address() as AddressInfo).port); // it listens on TCP
}

/** A port that nothing listens on: it was free a moment ago. */
async function closedPort(): Promise<string> {
  const server = await serve(() => {});
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** As Databricks answers a wrong token. */
const refuse: RequestListener = (_, response) => {
  const body = { error_code: "UNAUTHENTICATED", message: "Invalid access token." };
  response.writeHead(401, { "content-type": "application/json" }).end(JSON.stringify(body));
};

/** As Databricks answers a token without the permission. */
const forbid: RequestListener = (_, response) => {
  const message = "User does not have permission 'View' on serving endpoints.";
  const body = { error_code: "PERMISSION_DENIED", message };
  response.writeHead(403, { "content-type": "application/json" }).end(JSON.stringify(body));
};

/** As an MLflow server with one experiment and no traces. */
const answerAsMlflow: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://127.0.0.1");
  const asked = searchParams.get("experiment_name") ?? searchParams.get("experiment_id") ?? "";
  const message = `No experiment ${asked}`;
  const [status, body] = pathname.endsWith("/search")
    ? [200, {}]
    : asked === "support" || asked === "1"
      ? [200, { experiment: { experiment_id: "1", name: "support" } }]
      : [404, { error_code: "RESOURCE_DOES_NOT_EXIST", message }];
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};

/** As a gateway answers that puts into its message what it was sent, or a token of its own. */
const tellToken: RequestListener = (_, response) => {
  const message = `User of ${OTHER_SECRET} is not on the list.`;
  const body = { error_code: "PERMISSION_DENIED", message };
  response.writeHead(403, { "content-type": "application/json" }).end(JSON.stringify(body));
};

/** As a sign-in page, or anything that is no workspace, answers. */
const showPage: RequestListener = (_, response) => {
  response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><h1>Welcome</h1>");
};
