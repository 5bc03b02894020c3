/** A bounded number of things at once; the others wait in the order in which they came. */

export type Slots = {
  /** @returns how to give it back, or `null` when the signal is aborted first. */
  take(signal: AbortSignal): Promise<(() => void) | null>;
};

export function createSlots(size: number): Slots {
  let free = size;
  const waiting: (() => void)[] = [];

  function give(): () => void {
    let isGiven = true;
    return () => {
      if (!isGiven) return;
      isGiven = false;
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    };
  }

  return {
    take(signal) {
      if (signal.aborted) return Promise.resolve(null);
      if (free > 0) {
        free -= 1;
        return Promise.resolve(give());
      }
      return new Promise((resolve) => {
        const next = () => {
          signal.removeEventListener("abort", leave);
          resolve(give());
        };
        const leave = () => {
          waiting.splice(waiting.indexOf(next), 1);
          resolve(null);
        };
        waiting.push(next);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
