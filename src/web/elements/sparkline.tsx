/** A small picture of counts over the range: one bar per slice, from zero, newest at the right. */
const WIDTH = 96;
const HEIGHT = 20;
/** A slice with little still shows that there was something. */
const LEAST = 1.5;

type Props = {
  counts: readonly number[];
  /** How many of each count failed: the top of its bar. */
  failed?: readonly number[];
  label: string;
};

export function Sparkline({ counts, failed = [], label }: Props) {
  const highest = Math.max(...counts, 1);
  const bars = (values: readonly number[], tops: readonly number[]) =>
    barsPath(values, tops, highest);
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path class="sparkline-base" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      <path class="sparkline-bars" d={bars(counts, counts)} />
      <path class="sparkline-failed" d={bars(failed, counts)} />
    </svg>
  );
}

/** Each bar hangs from the height of its top; where both are the same, it stands on the ground. */
function barsPath(values: readonly number[], tops: readonly number[], highest: number): string {
  const step = WIDTH / Math.max(tops.length, 1);
  const width = step * 0.75;
  const scale = (count: number) => (count / highest) * (HEIGHT - 1);
  return values
    .map((value, index) => {
      if (value === 0) return "";
      const from = Math.max(LEAST, scale(tops[index] ?? value));
      const height = Math.max(LEAST, scale(value));
      const left = (index * step).toFixed(2);
      return `M${left} ${(HEIGHT - from).toFixed(2)}h${width.toFixed(2)}v${height.toFixed(2)}h${(-width).toFixed(2)}Z`;
    })
    .join("");
}
