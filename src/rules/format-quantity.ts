/**
 * Numbers as people read them: a unit, and at most three significant digits.
 * The only place that does this, so that the page, an alert and a message never
 * show one number in two ways. What is not a number is shown as a dash.
 */

const UNKNOWN = "–";

type Scale = { readonly unit: string; readonly size: number };

const MILLISECONDS: Scale = { unit: "ms", size: 1 };
const SECONDS: Scale = { unit: "s", size: 1000 };
const MINUTES: Scale = { unit: "min", size: 60_000 };
const HOURS: Scale = { unit: "h", size: 3_600_000 };
const DAYS: Scale = { unit: "d", size: 86_400_000 };

/** `0.4 ms`, `42 ms`, `950 ms`, `1.0 s`, `12.4 s`, `2.1 min`. */
export function formatDurationMs(ms: number): string {
  return Number.isFinite(ms) ? inScale(ms, scaleOf(ms)) : UNKNOWN;
}

/** Two durations that are compared, in the unit of the longer: `2.9 s` and `0.4 s`. */
export function formatDurationsMs(aMs: number, bMs: number): readonly [string, string] {
  const scale = scaleOf(Math.max(aMs, bMs));
  const format = (ms: number) =>
    ms === 0 || ms / scale.size >= 0.1 ? inScale(ms, scale) : formatDurationMs(ms);
  return [format(aMs), format(bMs)];
}

/** Whole units, for how long something has lasted: `3 s`, `5 min`, `2 h`, `3 d`. Rounded down: it never says more than was. */
export function formatElapsedMs(ms: number): string {
  if (!Number.isFinite(ms)) return UNKNOWN;
  const scale =
    [DAYS, HOURS, MINUTES].find(({ size }) => ms >= size * (size === DAYS.size ? 2 : 1)) ?? SECONDS;
  return `${Math.max(0, Math.floor(ms / scale.size))} ${scale.unit}`;
}

/** `0.3 %`, `4.2 %`, `5 %`, `38 %`, `99.9 %`. What is not quite all is never shown as `100 %`, what is not nothing never as `0 %`. */
export function formatPercent(percent: number): string {
  if (!Number.isFinite(percent)) return UNKNOWN;
  if (percent > 0 && percent < 0.1) return "<0.1 %";
  if (percent > 99 && percent < 100)
    return `${trimZeros((Math.floor(percent * 10) / 10).toFixed(1))} %`;
  return `${trimZeros(percent.toFixed(percent < 10 ? 1 : 0))} %`;
}

/** `7`, `950`, `1.3 k`, `42.1 k`, `3.2 M`. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return UNKNOWN;
  const units = ["", " k", " M", " G"];
  let value = count;
  let power = 0;
  while (Number(toThreeDigits(value)) >= 1000 && power < units.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${trimZeros(power === 0 ? toThreeDigits(value, 0) : toThreeDigits(value))}${units[power]}`;
}

/** `$0`, `<$0.0001`, `$0.0042`, `$0.042`, `$0.31`, `$4.20`, `$42`, `$1.3 k`. */
export function formatCostUsd(usd: number): string {
  if (!Number.isFinite(usd)) return UNKNOWN;
  if (usd === 0) return "$0";
  if (usd < 0.0001) return "<$0.0001";
  const decimals = usd < 0.00995 ? 4 : usd < 0.0995 ? 3 : 2;
  return `$${usd < 9.995 ? usd.toFixed(decimals) : formatCount(Math.round(usd))}`;
}

/**
 * A measured value beside its limit. Where both would look the same they get one
 * digit more; where that does not help, `value` is `null`: it is just above.
 */
export function formatBesideLimit(
  value: number,
  limit: number,
  unit: "ms" | "percent",
): { readonly value: string | null; readonly limit: string } {
  if (unit === "percent") {
    const [shown, shownLimit] = [formatPercent(value), formatPercent(limit)];
    if (shown !== shownLimit || value === limit) return { value: shown, limit: shownLimit };
    const finer = `${trimZeros(value.toFixed(value < 10 ? 2 : 1))} %`;
    return { value: finer === shownLimit ? null : finer, limit: shownLimit };
  }
  const [shown, shownLimit] = formatDurationsMs(value, limit);
  if (shown !== shownLimit || value === limit) return { value: shown, limit: shownLimit };
  const scale = scaleOf(Math.max(value, limit));
  const [finer, finerLimit] = [value, limit].map((ms) => (ms / scale.size).toFixed(2));
  return {
    value: finer === finerLimit ? null : `${finer} ${scale.unit}`,
    limit: finer === finerLimit ? shownLimit : `${finerLimit} ${scale.unit}`,
  };
}

/** The step to the next unit is made where three digits no longer suffice, after rounding. */
function scaleOf(ms: number): Scale {
  if (ms < 999.5) return MILLISECONDS;
  if (ms < 99_950) return SECONDS;
  if (ms < 59.95 * MINUTES.size) return MINUTES;
  return ms < 48 * HOURS.size ? HOURS : DAYS;
}

function inScale(ms: number, scale: Scale): string {
  const value = ms / scale.size;
  const text =
    scale === MILLISECONDS
      ? trimZeros(toThreeDigits(value, value < 9.95 ? 1 : 0))
      : toThreeDigits(value, 1);
  return `${text} ${scale.unit}`;
}

function toThreeDigits(value: number, decimalsMax = 1): string {
  return value.toFixed(value >= 99.95 ? 0 : decimalsMax);
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
