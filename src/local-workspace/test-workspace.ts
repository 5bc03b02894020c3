/** A workspace without a socket for tests: asked in process, by any principal, on a clock that the test moves. */
import { ADMIN_NAME, type PrincipalToken } from "./access/principals.ts";
import { createCallLog } from "./core/call-log.ts";
import type { WorkspaceContext } from "./core/context.ts";
import { createFaults, type Faults } from "./core/faults.ts";
import { openContext } from "./core/open-context.ts";
import { readRecordings } from "./recordings.ts";
import { seedWorkspace } from "./seed.ts";
import { createTestClock, type TestClock } from "./test-clock.ts";
import { createWorkspaceApi } from "./workspace-api.ts";

export const ADMIN_TOKEN = "dapi-test";

export type TestWorkspace = {
  readonly context: WorkspaceContext;
  readonly clock: TestClock;
  readonly faults: Faults;
  /** What recorded agents reported. */
  readonly telemetry: readonly Uint8Array[];
  /** All that answer, by method and path. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  /** `as`: a principal's name; the admin when it is left out. */
  request(path: string, options?: RequestOptions): Promise<Response>;
  /** The answer's status and its JSON body. */
  ask(call: string, body?: unknown, as?: string): Promise<Answer>;
  close(): Promise<void>;
};

export type RequestOptions = RequestInit & { readonly as?: string };

// Answers as they should be; the assertions find out whether they are.
// biome-ignore lint/suspicious/noExplicitAny: a test reads any field of any answer.
export type Answer = { readonly status: number; readonly body: any };

export type TestWorkspaceOptions = {
  /** Beside the admin; the token of each is `token of <name>`. */
  readonly principals?: readonly string[];
  readonly dataDirectory?: string;
  readonly clock?: TestClock;
  readonly random?: () => number;
  /** What serves models and runs notebooks. */
  readonly python?: string;
};

export function openTestWorkspace(options: TestWorkspaceOptions = {}): TestWorkspace {
  const {
    principals = [],
    dataDirectory = null,
    clock = createTestClock(),
    random = () => 0,
    python = null,
  } = options;
  const tokens: readonly PrincipalToken[] = [
    { name: ADMIN_NAME, token: ADMIN_TOKEN, isAdmin: true },
    ...principals.map((name) => ({ name, token: `token of ${name}`, isAdmin: false })),
  ];
  const telemetry: Uint8Array[] = [];
  const { context, close } = openContext({
    dataDirectory,
    tokens,
    clock,
    python,
    recordedAgents: readRecordings(),
    processUse: () => null,
    random,
    sendTelemetry: (body) => void telemetry.push(body),
    url: () => "http://127.0.0.1:0",
  });
  seedWorkspace(context, { withExamples: true });
  const faults = createFaults();
  const api = createWorkspaceApi({ context, faults, callLog: createCallLog() });

  const request = (path: string, { as, ...init }: RequestOptions = {}) => {
    const token = as === undefined ? ADMIN_TOKEN : `token of ${as}`;
    return Promise.resolve(
      api.request(path, {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...init.headers },
      }),
    );
  };
  return {
    context,
    clock,
    faults,
    telemetry,
    routes: api.routes.filter(({ method }) => method !== "ALL"),
    request,
    async ask(call, body, as) {
      const [method = "", path = ""] = call.split(" ");
      const response = await request(path, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(as === undefined ? {} : { as }),
      });
      const text = await response.text();
      return { status: response.status, body: text === "" ? null : JSON.parse(text) };
    },
    close,
  };
}
