/** A small picture of counts over the range: one bar per slice, from zero, newest at the right. */
const WIDTH = 96;
const HEIGHT = 20;
/** A slice with little still shows that there was something. */
const LEAST = 1.5;

export function Sparkline({ counts, label }: { counts: readonly number[]; label: string }) {
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
      <path class="sparkline-bars" d={barsPath(counts)} />
    </svg>
  );
}

function barsPath(counts: readonly number[]): string {
  const highest = Math.max(...counts, 1);
  const step = WIDTH / Math.max(counts.length, 1);
  const width = step * 0.75;
  return counts
    .map((count, index) => {
      if (count === 0) return "";
      const height = Math.max(LEAST, (count / highest) * (HEIGHT - 1));
      const left = (index * step).toFixed(2);
      return `M${left} ${HEIGHT}v${(-height).toFixed(2)}h${width.toFixed(2)}V${HEIGHT}Z`;
    })
    .join("");
}
