/**
 * Loaded into a monitor before it starts (`node --import`): kills the process at
 * one exact moment of its journal, which no signal from outside would hit on
 * purpose. The product knows nothing of it.
 *
 * `KILL_POINT=<moment>:<nth>:<delay in ms>`, such as `committed:17:0`.
 */
import { Worker } from "node:worker_threads";

/**
 * `commit`: handed to the disk; `committed`: on disk, and nobody told yet; `replay`: reading back;
 * `remove`: delivered elsewhere, and still on disk.
 */
const moments = ["commit", "committed", "close", "close-committed", "replay", "remove"] as const;
export type KillPoint = (typeof moments)[number];

type Message = {
  readonly kind: string;
  readonly entries?: readonly { readonly body: string | Uint8Array }[];
  readonly last?: boolean;
};

const [moment, nth, delayMs] = (process.env.KILL_POINT ?? "").split(":");
if (!moments.some((known) => known === moment)) throw new Error(`no moment is called ${moment}`);

let count = 0;
let closing = false;

const { postMessage, emit } = Worker.prototype;

Worker.prototype.postMessage = function (this: Worker, message: Message, ...rest) {
  if (message.kind === "remove" && moment === "remove") pass();
  postMessage.call(this, message, ...rest);
  if (message.kind !== "commit") return;
  closing = message.entries?.some(({ body }) => isClose(body)) ?? false;
  if (moment === "commit" || (moment === "close" && closing)) pass();
};

function isClose(body: string | Uint8Array): boolean {
  return typeof body === "string" && body.startsWith('{"kind":"close"');
}

Worker.prototype.emit = function (this: Worker, event: string | symbol, ...args: unknown[]) {
  if (event === "message") received(args[0] as Message); // the journal's worker sends nothing else
  return Reflect.apply(emit, this, [event, ...args]);
};

function received({ kind, last }: Message): void {
  if (kind === "committed") {
    if (moment === "committed" || (moment === "close-committed" && closing)) pass();
  } else if (kind === "entries" && moment === "replay") {
    if (last) die();
    pass();
  }
}

function pass(): void {
  if (++count === Number(nth)) die();
}

/** Waits without letting anything else run, so that nothing is answered meanwhile. */
function die(): void {
  const untilMs = performance.now() + Number(delayMs);
  while (performance.now() < untilMs);
  process.kill(process.pid, "SIGKILL");
}
