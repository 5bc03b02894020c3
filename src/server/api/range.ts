/** The stretch of time that a view shows, cut into steps for its charts. */
export type Range = {
  readonly seconds: number;
  /** Aligned to whole steps, so that a chart's past does not change while it moves on. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  readonly steps: number;
  readonly nowMs: number;
};

/** Length and step of each range, in seconds. Steps are whole slices of what is kept. */
export const ranges: Readonly<
  Record<string, { readonly seconds: number; readonly stepSeconds: number }>
> = {
  "5m": { seconds: 300, stepSeconds: 5 },
  "15m": { seconds: 900, stepSeconds: 15 },
  "1h": { seconds: 3_600, stepSeconds: 60 },
  "6h": { seconds: 21_600, stepSeconds: 300 },
  "24h": { seconds: 86_400, stepSeconds: 1_200 },
};

/** `null` when there is no range of that name. */
export function rangeOf(name: string, nowMs: number): Range | null {
  const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
  if (!range) return null;
  const stepMs = range.stepSeconds * 1000;
  const toMs = Math.ceil(nowMs / stepMs) * stepMs;
  return {
    seconds: range.seconds,
    fromMs: toMs - range.seconds * 1000,
    toMs,
    stepMs,
    steps: range.seconds / range.stepSeconds,
    nowMs,
  };
}
