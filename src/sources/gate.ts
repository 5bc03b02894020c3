/** Lets a few pieces of work run at a time; the others wait in the order in which they came. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export function createGate({ concurrency }: { readonly concurrency: number }): Gate {
  let running = 0;
  const waiting: (() => void)[] = [];

  return async (work) => {
    if (running >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      // Whoever waits takes the place over, so that nobody who comes now gets before it.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
