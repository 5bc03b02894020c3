/** Ctrl+C for commands that wait: the first stops the waiting, a second one the process. */
import { EXIT } from "./exit-code.ts";

export type StopSignal = { readonly signal: AbortSignal; dispose(): void };

export class Interrupted extends Error {}

export function stopSignal(): StopSignal {
  const controller = new AbortController();
  const stop = () => {
    process.once("SIGINT", () => process.exit(EXIT.interrupted));
    controller.abort(new Interrupted());
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  return {
    signal: controller.signal,
    dispose() {
      process.removeListener("SIGINT", stop);
      process.removeListener("SIGTERM", stop);
    },
  };
}
