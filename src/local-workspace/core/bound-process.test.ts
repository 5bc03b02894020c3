/** Programs that the workspace starts end with it, and tell how they ended. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { startBoundProcess, startTimeOf, stopBoundProcess } from "./bound-process.ts";

const node = process.execPath;
let server: Server;
before(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(() => server.close());

/** A program that runs on, and whose connection here closes when it is gone. */
function program(): string {
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return `require("node:net").connect(${port}, "127.0.0.1"); setInterval(() => {}, 1e6)`;
}

async function connected(): Promise<Socket> {
  const [socket] = await once(server, "connection");
  socket.resume().on("error", () => {});
  return socket;
}

test("what was started is gone when who started it was killed", async () => {
  const starter = `
    import { startBoundProcess } from ${JSON.stringify(new URL("bound-process.ts", import.meta.url).href)};
    startBoundProcess(${JSON.stringify(node)}, { args: ["-e", ${JSON.stringify(program())}], environment: {} });`;
  const parent = spawn(node, ["--input-type=module", "-e", starter], { stdio: "inherit" });
  const socket = await connected();
  parent.kill("SIGKILL");
  await once(socket, "close");
});

test("it is stopped with all that it started", async () => {
  const inner = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(program())}]); setInterval(() => {}, 1e6)`;
  const child = startBoundProcess(node, { args: ["-e", inner], environment: {} });
  const socket = await connected();
  const closed = once(socket, "close");
  await stopBoundProcess(child);
  await closed;
});

test("its output is read, and how it ended is told", async () => {
  const child = startBoundProcess(node, {
    args: ["-e", "console.log(process.env.GIVEN, process.env.SECRET); process.exitCode = 7"],
    environment: { GIVEN: "given" },
  });
  let output = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  assert.equal(`${code} ${output}`, "7 given undefined\n");
});
process.env.SECRET = "not for others";

test("also of one that ends at once, each time", async () => {
  const codes = Array.from({ length: 20 }, async () => {
    const child = startBoundProcess("/bin/sh", { args: ["-c", "exit 3"], environment: {} });
    return (await once(child, "exit"))[0];
  });
  assert.deepEqual(await Promise.all(codes), new Array(20).fill(3));
});

test("and of one that ends in its own way when it is stopped", async () => {
  const args = ["-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"];
  const child = startBoundProcess("/bin/sh", { args, environment: {} });
  assert.ok(child.stdout);
  await once(child.stdout, "data");
  const ended = once(child, "exit");
  await stopBoundProcess(child);
  assert.deepEqual(await ended, [5, null]);
});

test("a process is known by when it was started, as long as it runs", async () => {
  const child = startBoundProcess(node, { args: ["-e", program()], environment: {} });
  await connected();
  const id = child.pid ?? 0;
  const startedAt = startTimeOf(id);
  if (process.platform === "linux") assert.match(startedAt ?? "", /^\d+$/);
  assert.equal(startTimeOf(id), startedAt);
  await stopBoundProcess(child);
  assert.equal(startTimeOf(id), null);
});
