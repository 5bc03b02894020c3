/**
 * An entity that is ended when nobody asked it for a while, and started again for the next
 * request, which waits for that.
 *
 * Source: Databricks, "Create custom model serving endpoints": it scales to zero after 30
 * minutes without a request. That the state stays ready then, with this message, is from
 * reports of users.
 */
import type { Clock } from "../clock.ts";
import { databricksError } from "../databricks-error.ts";
import type { EntityState } from "./endpoint.ts";
import { type ServedEntity, StartError } from "./served-entity.ts";

export type ScaleToZeroOptions = {
  /** What runs already. */
  readonly first: ServedEntity;
  /** Another of it. @throws StartError when it does not start. */
  readonly start: () => Promise<ServedEntity>;
  readonly clock: Clock;
  /** Without a request for so long it is ended; asked anew each time. */
  readonly idleMs: () => number;
};

const COLD: EntityState = {
  deployment: "DEPLOYMENT_READY",
  message: "Scaled to zero",
  isCold: true,
};

export function scaleToZero({ first, start, clock, idleMs }: ScaleToZeroOptions): ServedEntity {
  let current: ServedEntity | null = first;
  /** Its logs are there while nothing runs. */
  let last = first;
  let waking: Promise<ServedEntity> | null = null;
  let ending: Promise<void> = Promise.resolve();
  let underWay = 0;
  let isClosed = false;
  let cancel = () => {};
  rest();

  /** Begins to count the time without a request. */
  function rest(): void {
    cancel();
    if (isClosed || underWay > 0) return;
    cancel = clock.after(idleMs(), () => {
      if (!current) return;
      ending = current.close();
      current = null;
    });
  }

  function wake(): Promise<ServedEntity> {
    waking ??= ending
      .then(start)
      .then(async (started) => {
        if (isClosed) await started.close();
        current = last = started;
        return started;
      })
      .finally(() => {
        waking = null;
      });
    return waking;
  }

  return {
    isRecorded: first.isRecorded,
    state: () => current?.state() ?? COLD,
    logs: () => last.logs(),
    async invoke(invocation) {
      cancel();
      underWay += 1;
      try {
        const served = current ?? (await wake());
        return await served.invoke(invocation);
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        return databricksError("TEMPORARILY_UNAVAILABLE", error.message, invocation.requestId);
      } finally {
        underWay -= 1;
        rest();
      }
    },
    async close() {
      isClosed = true;
      cancel();
      await Promise.all([ending, current?.close(), waking?.catch(() => {})]);
    },
  };
}
