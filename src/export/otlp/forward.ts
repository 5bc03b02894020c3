/**
 * What arrives over OTLP goes on to another OTLP receiver: one lane per signal, so that a
 * receiver that takes no metrics still gets every trace.
 */
import type { Clock } from "../../clock.ts";
import { type PassedOn, passedOn, type Signal } from "../../ingest/otlp/passed-on.ts";
import { HOPS_MAX } from "../../signals/forward-hops.ts";
import type { Fetch } from "../post.ts";
import { type ForwardLane, type ForwardStatus, openForwardLane } from "./forward-lane.ts";
import { forwardTarget } from "./forward-target.ts";

export type ForwardOptions = {
  readonly dataDirectory: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signals: readonly Signal[];
  /** Whether prompts and answers go with it. */
  readonly content: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly fetch: Fetch;
  readonly onNotice: (notice: string) => void;
};

export type Forward = {
  /**
   * Takes a request as it came. Resolves once what is forwarded of it is on disk.
   *
   * @param came `hops`: how often it was forwarded before it came.
   * @throws MonitorError `STORE_FULL`: nothing was taken, and the same may be given again.
   */
  take(
    signal: Signal,
    received: Uint8Array | string,
    came: { readonly hops: number },
  ): Promise<void>;
  status(): readonly ForwardStatus[];
  close(): Promise<void>;
};

/** @throws MonitorError `CONFIG_INVALID` for an address or header that can't be used; `DATA_DIR_…`. */
export async function startForward(options: ForwardOptions): Promise<Forward> {
  const { url, headers, signals, content } = options;
  const targets = signals.map((signal) => ({
    signal,
    target: forwardTarget(url, { signal, headers }),
  }));
  const lanes = new Map<Signal, ForwardLane>();
  const close = async () => {
    await Promise.all([...lanes.values()].map((lane) => lane.close()));
  };
  try {
    for (const { signal, target } of targets) {
      lanes.set(signal, await openForwardLane({ ...options, signal, target }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async take(signal, received, { hops }) {
      const lane = lanes.get(signal);
      if (!lane) return;
      let passed: PassedOn;
      try {
        passed = passedOn(received, { signal, content });
      } catch {
        // What the monitor could read of it counts all the same.
        lane.lose("malformed", 1);
        return;
      }
      if (hops >= HOPS_MAX) lane.lose("loop", passed.items);
      else await lane.take({ ...passed, hops });
    },
    status: () => [...lanes.values()].map((lane) => lane.status()),
    close,
  };
}
