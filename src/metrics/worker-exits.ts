/**
 * Tells when a worker thread has ended, which a thread that was terminated cannot do
 * itself. One listener for the whole process, however many collectors there are: Node
 * warns of a leak from the eleventh on.
 */
import type { Worker } from "node:worker_threads";

/** Takes the number of the thread. */
type OnExit = (threadId: number) => void;

const listeners = new Set<OnExit>();

/** Of all workers that this thread starts from now on, until the returned function is called. */
export function onWorkerExit(listener: OnExit): () => void {
  if (listeners.size === 0) process.on("worker", watch);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) process.off("worker", watch);
  };
}

function watch(worker: Worker): void {
  const { threadId } = worker;
  worker.once("exit", () => {
    for (const listener of listeners) listener(threadId);
  });
}
