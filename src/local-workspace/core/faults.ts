/**
 * What goes wrong on purpose: a test says which call, and how. Pure but for
 * counting the calls; `fault-middleware.ts` makes it happen.
 */
export type Fault = FaultMatch & FaultEffect;

export type FaultMatch = {
  /** Any, when it is left out. */
  readonly method?: string;
  /** As it is sent; `*` stands for anything up to the next `/`, `**` for anything at all. */
  readonly path: string;
  /** The first of the matching calls that is hit; 1, the next one, when it is left out. */
  readonly nth?: number;
  /** How many calls are hit from then on; 1 when it is left out. */
  readonly times?: number;
};

export type FaultEffect =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly errorCode: string;
      readonly message?: string;
      readonly retryAfterS?: number;
      /** `after`: the call has its effect, and is then answered so. */
      readonly when?: FaultTime;
    }
  /** No answer, and the connection stays open. */
  | { readonly kind: "hang"; readonly when?: FaultTime }
  /** The connection is reset. */
  | { readonly kind: "reset"; readonly when?: FaultTime }
  /** Half of the answer's body, then the end of the connection. */
  | { readonly kind: "truncate" }
  /** The ordinary answer, later. */
  | { readonly kind: "delay"; readonly delayMs: number };

/** Before the call has an effect (when it is left out), or after it. */
export type FaultTime = "before" | "after";

export type Faults = {
  /** @returns how to take it back. */
  add(fault: Fault): () => void;
  clear(): void;
  /** Counts the call, and says what is to happen to it; of several faults the first one added. */
  next(call: { readonly method: string; readonly path: string }): FaultEffect | null;
};

type Added = { readonly fault: Fault; readonly pattern: RegExp; matched: number };

export function createFaults(): Faults {
  const added = new Set<Added>();
  return {
    add(fault) {
      const entry = { fault, pattern: patternOf(fault.path), matched: 0 };
      added.add(entry);
      return () => void added.delete(entry);
    },
    clear: () => added.clear(),
    next({ method, path }) {
      let effect: FaultEffect | null = null;
      for (const entry of added) {
        const { fault, pattern } = entry;
        const isMeant = !fault.method || fault.method.toUpperCase() === method.toUpperCase();
        if (!isMeant || !pattern.test(path)) continue;
        entry.matched += 1;
        const first = fault.nth ?? 1;
        const last = first + (fault.times ?? 1) - 1;
        if (entry.matched >= first && entry.matched <= last) effect ??= fault;
        if (entry.matched >= last) added.delete(entry);
      }
      return effect;
    },
  };
}

function patternOf(path: string): RegExp {
  const source = path
    .split(/(\*\*|\*)/)
    .map((part) => (part === "**" ? ".*" : part === "*" ? "[^/]*" : escaped(part)))
    .join("");
  return new RegExp(`^${source}/?$`);
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
