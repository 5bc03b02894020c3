/**
 * What goes on after a request was answered – an endpoint starts, a job runs – and
 * has to end when the workspace closes.
 */
export type Lifetime = {
  /** Aborted when the workspace begins to close. */
  readonly signal: AbortSignal;
  /** Runs when the workspace closes, the last one first. */
  atClose(run: () => void | Promise<void>): void;
  /** Work that the close waits for; its failure is told on stderr, since nobody else awaits it. */
  background(what: string, work: Promise<void>): void;
  close(): Promise<void>;
};

export function createLifetime(): Lifetime {
  const controller = new AbortController();
  const closers: (() => void | Promise<void>)[] = [];
  const running = new Set<Promise<void>>();

  return {
    signal: controller.signal,
    atClose: (run) => void closers.push(run),
    background(what, work) {
      const settled: Promise<void> = work
        .catch((error: unknown) => {
          if (controller.signal.aborted) return;
          process.stderr.write(
            `local workspace: ${what}: ${error instanceof Error ? error.message : String(error)}\n`,
          );
        })
        .finally(() => running.delete(settled));
      running.add(settled);
    },
    async close() {
      controller.abort();
      for (let run = closers.pop(); run; run = closers.pop()) await run();
      await Promise.all(running);
    },
  };
}
