/**
 * Deployments against the local workspace, for tests: in process, with the minutes of a
 * real one passing in milliseconds, and with a switch that kills the deployer after any
 * call.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../src/clock.ts";
import { type AgentConfig, readAgentConfig } from "../src/config/agent-config.ts";
import { createDatabricksClient, type DatabricksClient } from "../src/databricks/client.ts";
import { resolveCredentials } from "../src/databricks/credentials.ts";
import { createDeployer, type Deployer, type DeployerSetting } from "../src/deploy/deployer.ts";
import type { TestClock } from "../src/local-workspace/test-clock.ts";
import {
  ADMIN_TOKEN,
  openTestWorkspace,
  type TestWorkspace,
} from "../src/local-workspace/test-workspace.ts";
import { memoryRoot } from "./memory-root.ts";

/** What takes a minute there takes so much less here. */
const SPEED = 1_000;
/** Of the client's deadlines, so that a busy machine is not taken for one that hangs. */
const CLIENT_SPEED = 100;

export type AgentOptions = {
  /** Of endpoint, model and agent; a letter first. */
  readonly name?: string;
  /** Each is other content: another version of the model. */
  readonly release?: string;
  /** Of the model; `agents` when it is left out. */
  readonly schema?: string;
  /** What it is asked once it serves; one that was recorded when it is left out. */
  readonly question?: string;
  /** Python that takes the place of the example's. */
  readonly code?: string;
  /** Put into `model:`, `deployment:` and `monitoring:`, each a line of YAML. */
  readonly model?: string;
  readonly deployment?: readonly string[];
  readonly monitoring?: readonly string[];
};

export type DeploySetting = {
  readonly workspace: TestWorkspace;
  /** An agent of the example that answers, unless it has other code. */
  agent(options?: AgentOptions): AgentConfig;
  client(options?: ClientOptions): DatabricksClient;
  deployer(options?: ClientOptions & Partial<DeployerSetting>): Deployer;
  /** Calls that were made since the last time, such as `POST /api/2.0/serving-endpoints`. */
  calls(): readonly string[];
  close(): Promise<void>;
};

export type ClientOptions = {
  /** A principal of the workspace; the admin when it is left out. */
  readonly as?: string;
  /** Called after each call was answered, with how many there were. When it throws, the deployer is dead. */
  readonly onCall?: (count: number, call: string) => void;
  /** What the caller gets in place of an answer; what it throws is a failure of the network. */
  readonly onAnswer?: (response: Response, body: unknown) => Response;
};

export function openDeploySetting({
  principals = [],
  clientSpeed = CLIENT_SPEED,
  speed = SPEED,
}: {
  readonly principals?: readonly string[];
  /** Of the workspace. */
  readonly speed?: number;
  /** Where nothing hangs on purpose, a slower one makes a busy machine no failure. */
  readonly clientSpeed?: number;
} = {}): DeploySetting {
  // Model files are flushed to the disk one by one, which takes a shared disk most of the time.
  const folder = mkdtempSync(join(memoryRoot, "deploy-"));
  const dataDirectory = join(folder, "workspace");
  const workspace = openTestWorkspace({ clock: fastClock(speed), principals, dataDirectory });
  workspace.context.behaviour.endpointStartMs = 5_000;
  let folders = 0;
  const calls: string[] = [];

  function client({
    as,
    onCall,
    onAnswer = (response) => response,
  }: ClientOptions = {}): DatabricksClient {
    let count = 0;
    let isDead = false;
    const never = new Promise<Response>(() => {});
    const fetch = async (url: string, init: RequestInit) => {
      if (isDead) return never;
      const path = url.slice(HOST.length);
      const call = `${init.method} ${path.replace(/\?.*/, "")}`;
      calls.push(call);
      const { authorization: _, ...headers } = init.headers as Record<string, string>;
      const answered = workspace.request(path, {
        ...init,
        headers,
        ...(as === undefined ? {} : { as }),
      });
      // As `fetch` does, where a request may hang.
      const aborted = new Promise<never>((_, reject) => {
        init.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      });
      const response = await Promise.race([answered, aborted]);
      try {
        onCall?.(++count, call);
      } catch {
        isDead = true;
        return never;
      }
      return onAnswer(response, init.body);
    };
    const credentials = resolveCredentials({
      env: { DATABRICKS_HOST: HOST, DATABRICKS_TOKEN: ADMIN_TOKEN },
      readFile: () => "",
      homeDirectory: "",
    });
    assert.ok(credentials);
    const clock: Clock = {
      ...systemClock,
      after(ms, run) {
        // The deadlines of a dead process never come.
        return systemClock.after(ms / clientSpeed, () => void (isDead || run()));
      },
    };
    return createDatabricksClient({ credentials, fetch, clock, random: () => 0 });
  }

  return {
    workspace,
    client,
    calls: () => calls.splice(0),
    agent({
      name = "order-x",
      schema = "agents",
      release = "1",
      code,
      model,
      question = "Where is my order A-1001?",
      deployment = [],
      monitoring = [],
    } = {}) {
      const directory = join(folder, String(folders++));
      cpSync(new URL("../examples/order-agent/", import.meta.url), directory, { recursive: true });
      if (code !== undefined) writeFileSync(join(directory, "agent.py"), code);
      const yaml = `agent:
  name: ${name}
  model: ${model ?? `{ code: agent.py, program: program.json, requirements: ["release==${release}"] }`}
  deployment:
    catalog: ml
    schema: ${schema}
    model_name: ${name}
    serving_endpoint: ${name}
    smoke_request: "${question}"
${deployment.map((line) => `    ${line}\n`).join("")}  monitoring:
    tables: { schema: ${schema === "agents" ? "monitoring" : schema}, readers: [analysts] }
${monitoring.map((line) => `    ${line}\n`).join("")}`;
      return readAgentConfig(yaml, { file: join(directory, "agent.yaml") });
    },
    deployer({ as, onCall, ...setting } = {}) {
      return createDeployer({
        client: client({ ...(as !== undefined && { as }), ...(onCall && { onCall }) }),
        clock: fastClock(speed),
        dataDirectory: join(folder, "data"),
        ...setting,
      });
    },
    async close() {
      await workspace.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const HOST = "http://127.0.0.1:1";

/** What the examples refer to. */
export async function createSecret(
  { url, token }: { readonly url: string; readonly token: string },
  { scope, key }: { readonly scope: string; readonly key: string },
): Promise<void> {
  for (const [path, body] of [
    ["scopes/create", { scope }],
    ["put", { scope, key, string_value: "a key of nobody" }],
  ] as const) {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(`${url}/api/2.0/secrets/${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200, await response.text());
  }
}

/** Real time, in which every wait is a thousandth of what it says. */
function fastClock(speed: number): TestClock {
  const start = Date.now();
  return {
    now: () => start + (Date.now() - start) * speed,
    after: (ms, run) => systemClock.after(ms / speed, run),
    every: (ms, run) => systemClock.every(Math.max(1, ms / speed), run),
    advance: () => Promise.reject(new Error("this clock runs by itself")),
  };
}
