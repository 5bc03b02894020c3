/**
 * The requests that the workspace was sent, for tests that look at what a program
 * did: the last ones, without their tokens.
 */
export type Call = {
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** JSON as a value, other text as text; `null` without a body, or with a large or binary one. */
  readonly body: unknown;
  /** `null` without a valid token. */
  readonly principal: string | null;
  readonly userAgent: string;
  /** `null` while it is not answered, and when a fault left it without an answer. */
  readonly status: number | null;
};

export type CallLog = {
  /** Oldest first. */
  calls(): readonly Call[];
  /** @returns how to tell what else becomes known of it. */
  begin(call: Call): (known: Partial<Call>) => void;
  clear(): void;
};

/** At the bound the oldest one is forgotten. */
const CALLS_MAX = 2_000;
/** A larger body is not kept. */
export const LOGGED_BODY_MAX_BYTES = 64 * 1024;

export function createCallLog(): CallLog {
  let calls: Call[] = [];
  return {
    calls: () => [...calls],
    begin(call) {
      let current = call;
      calls.push(current);
      if (calls.length > CALLS_MAX) calls = calls.slice(-CALLS_MAX);
      return (known) => {
        const index = calls.indexOf(current);
        current = { ...current, ...known };
        if (index >= 0) calls[index] = current;
      };
    },
    clear() {
      calls = [];
    },
  };
}
