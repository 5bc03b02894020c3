/**
 * Draws one chart with uPlot: lines or stacked parts, a limit with its value, marks
 * for deployments, and each line's name and last value at its end. All charts of a
 * view share one cursor. For those who can't see it the same facts stand beside it in
 * words; the table is in the large one.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { onColoursChange, readColour } from "../theme.ts";
import { axisSteps, axisTop, formatTick, isLimitShown, TIME_STEPS_MS } from "./axis.ts";
import { type ChartSpec, hasValues, lastValue, stackLines } from "./chart-spec.ts";
import { chartWords, sliceTime } from "./chart-words.ts";
import { placeLabels } from "./label-places.ts";

const HEIGHT_PX = 184;
/** Wide enough for digits of the font below; the axis is as wide as its longest label. */
const CHARACTER_WIDTH_PX = 6.4;
const END_LABEL_WIDTH_PX = 92;
const LABEL_HEIGHT_PX = 16;
/** Of the word that stands over the time in which an alert was firing. */
const ALERT_WIDTH_PX = 26;
const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** The slice under the pointer of any chart; `null` while it is over none. */
export function useCursor() {
  return useState<number | null>(null);
}

export function Chart({ spec, largeHref }: { spec: ChartSpec; largeHref: string }) {
  const [cursor, setCursor] = useCursor();
  return (
    <figure class={`chart chart-${spec.id}`} data-testid={`chart-${spec.id}`}>
      <figcaption class="chart-head">
        <h3>{spec.title}</h3>
        {spec.per && <span class="quiet chart-per">{spec.per}</span>}
        {hasValues(spec) && <Readout spec={spec} cursor={cursor} />}
        <a class="chart-enlarge" href={largeHref} title="Large, as a table, as a query">
          <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
            <path d="M9.5 2.5h4v4M13.5 2.5 9 7M6.5 13.5h-4v-4M2.5 13.5 7 9" />
          </svg>
          <span class="visually-hidden">{spec.title}: large, as a table, as a query</span>
        </a>
      </figcaption>
      {hasValues(spec) ? (
        <Drawing
          key={spec.lines.map((line) => line.label).join()}
          spec={spec}
          heightPx={HEIGHT_PX}
          onCursor={setCursor}
        />
      ) : (
        <div class="chart-plot chart-empty">{spec.whenEmpty}</div>
      )}
    </figure>
  );
}

/** Names and values: at the cursor while it is over any chart, else the last ones. */
export function Readout({ spec, cursor }: { spec: ChartSpec; cursor: number | null }) {
  const timeMs = cursor === null ? undefined : spec.timesMs[cursor];
  return (
    <span
      class="readout"
      data-kind={spec.kind}
      data-at={cursor === null ? "end" : "cursor"}
      aria-hidden="true"
    >
      {timeMs !== undefined && <span class="quiet">{sliceTime(spec, timeMs)}</span>}
      {spec.lines.map((line) => {
        const value = timeMs === undefined ? lastValue(line.values) : line.values[cursor ?? 0];
        return (
          <span key={line.label} class="readout-line">
            <i class="swatch" style={{ background: `var(${line.colour})` }} />
            {line.label !== spec.id && (
              <span class="readout-name" title={line.label}>
                {line.label}
              </span>
            )}
            <b>{value == null ? "–" : spec.format(value)}</b>
          </span>
        );
      })}
    </span>
  );
}

type DrawingProps = {
  spec: ChartSpec;
  heightPx: number;
  onCursor: (at: number | null) => void;
};

export function Drawing({ spec, heightPx, onCursor }: DrawingProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  /** What uPlot's callbacks read: they are made once, the figures change every two seconds. */
  const current = useRef(spec);
  current.current = spec;

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const made = new uPlot(
      plotOptions(current, { width: element.clientWidth, height: heightPx }, onCursor),
      alignedData(current.current),
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: heightPx }),
    );
    resized.observe(element);
    const stopListening = onColoursChange(() => made.redraw());
    return () => {
      stopListening();
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [heightPx, onCursor]);

  useEffect(() => plot.current?.setData(alignedData(spec)), [spec]);

  return (
    <div
      class="chart-plot"
      style={{ height: `${heightPx}px` }}
      ref={place}
      role="img"
      aria-label={chartWords(spec)}
    />
  );
}

type Current = { readonly current: ChartSpec };

/**
 * Parts are drawn from the highest sum down, so that each covers the ones behind it;
 * of lines that meet, the first is on top.
 */
function alignedData(spec: ChartSpec): uPlot.AlignedData {
  const values =
    spec.kind === "parts" ? stackLines(spec.lines) : spec.lines.map((line) => [...line.values]);
  return [[...spec.timesMs], ...values.reverse()];
}

function plotOptions(
  current: Current,
  size: { readonly width: number; readonly height: number },
  onCursor: (at: number | null) => void,
): uPlot.Options {
  const { kind, lines } = current.current;
  const drawn = [...lines].reverse();
  const quiet = () => readColour("--ink-3");
  const grid = { stroke: () => readColour("--line"), width: 1 };
  return {
    ...size,
    ms: 1,
    padding: [LABEL_HEIGHT_PX, kind === "lines" ? END_LABEL_WIDTH_PX : 20, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      sync: { key: "agent", scales: ["x", null] },
      points:
        kind === "parts"
          ? { show: false }
          : { size: 6, fill: (_, index) => readColour(drawn[index - 1]?.colour ?? "--ink") },
    },
    scales: {
      x: { time: true, range: (_, first, last) => [first, last + current.current.sliceMs] },
      y: {
        range: () => [0, axisTop(highestOf(current.current), current.current.limit?.value ?? null)],
      },
    },
    axes: [
      {
        stroke: quiet,
        font: FONT,
        grid: { show: false },
        ticks: { show: false },
        size: 24,
        gap: 4,
        space: 48,
        incrs: TIME_STEPS_MS,
        values: (_, splits, __, ___, stepMs) => splits.map((timeMs) => formatTick(timeMs, stepMs)),
      },
      {
        stroke: quiet,
        font: FONT,
        grid,
        ticks: { show: false },
        size: (_, labels) => axisWidth(labels),
        gap: 8,
        space: 24,
        incrs: axisSteps({ wholeSteps: current.current.wholeSteps }),
        values: (_, splits) =>
          splits.map((value) => (value === 0 ? "0" : current.current.format(value))),
      },
    ],
    series: [
      {},
      ...drawn.map((line) =>
        kind === "parts" ? partSeries(line.colour) : lineSeries(line.colour),
      ),
    ],
    hooks: {
      draw: [
        (plot) => drawLimit(plot, current.current),
        (plot) => drawFiring(plot, current.current),
        (plot) => drawMarks(plot, current.current),
        (plot) => {
          if (kind === "lines") drawEndLabels(plot, current.current);
        },
      ],
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
    },
  };
}

function axisWidth(labels: readonly string[] | null): number {
  const longest = Math.max(1, ...(labels ?? []).map((label) => label.length));
  return Math.ceil(longest * CHARACTER_WIDTH_PX) + 12;
}

function lineSeries(colour: string): uPlot.Series {
  return {
    stroke: () => readColour(colour),
    width: 1.5,
    spanGaps: false,
    points: {
      size: 4,
      fill: () => readColour(colour),
      // A value between two gaps has no line: without a point it would not be seen.
      filter: (plot, index) => lonelyPoints(plot.data[index] ?? []),
    },
  };
}

function partSeries(colour: string): uPlot.Series {
  const bars = uPlot.paths.bars?.({ size: [0.8, 24], align: 1 });
  return {
    stroke: () => readColour(colour),
    fill: () => readColour(colour),
    width: 0,
    points: { show: false },
    ...(bars ? { paths: bars } : {}),
  };
}

function lonelyPoints(values: ArrayLike<number | null | undefined>): number[] {
  const lonely: number[] = [];
  for (let index = 0; index < values.length; index++) {
    if (values[index] != null && values[index - 1] == null && values[index + 1] == null) {
      lonely.push(index);
    }
  }
  return lonely;
}

function highestOf(spec: ChartSpec): number {
  const drawn = spec.kind === "parts" ? stackLines(spec.lines) : spec.lines.map((l) => l.values);
  return Math.max(0, ...drawn.flat().filter((value) => value !== null));
}

function drawLimit(plot: uPlot, spec: ChartSpec): void {
  const { limit } = spec;
  if (!limit) return;
  const { ctx, bbox } = plot;
  const shown = isLimitShown(highestOf(spec), limit.value);
  const top = shown ? Math.round(plot.valToPos(limit.value, "y", true)) : bbox.top;
  const isPassed = (lastValue(spec.lines[0]?.values ?? []) ?? 0) > limit.value;
  withText(plot, isPassed ? "--critical" : "--ink-3", () => {
    if (shown) {
      ctx.lineWidth = uPlot.pxRatio;
      ctx.setLineDash([4 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, top);
      ctx.lineTo(bbox.left + bbox.width, top);
      ctx.stroke();
    }
    ctx.textBaseline = "bottom";
    const label = shown ? limit.label : `↑ ${limit.label}`;
    ctx.fillText(label, bbox.left + 2 * uPlot.pxRatio, top - 2 * uPlot.pxRatio);
  });
}

/** A bar along the upper edge, as long as an alert was firing, with its word above. */
function drawFiring(plot: uPlot, spec: ChartSpec): void {
  const { ctx, bbox } = plot;
  const { min = null, max = null } = plot.scales.x ?? {};
  if (min === null || max === null) return;
  for (const { fromMs, toMs } of spec.firing) {
    const from = Math.max(fromMs, min);
    const to = Math.min(toMs ?? max, max);
    if (from >= to) continue;
    const left = Math.round(plot.valToPos(from, "x", true));
    const right = Math.round(plot.valToPos(to, "x", true));
    withText(plot, "--critical", () => {
      ctx.fillRect(
        left,
        bbox.top - 2 * uPlot.pxRatio,
        Math.max(2, right - left),
        2 * uPlot.pxRatio,
      );
      ctx.textBaseline = "bottom";
      ctx.textAlign = "right";
      ctx.fillText(
        "alert",
        Math.max(right, bbox.left + ALERT_WIDTH_PX * uPlot.pxRatio),
        bbox.top - 3 * uPlot.pxRatio,
      );
    });
  }
}

function drawMarks(plot: uPlot, spec: ChartSpec): void {
  const { ctx, bbox } = plot;
  const { min = null, max = null } = plot.scales.x ?? {};
  for (const mark of spec.marks) {
    if (min === null || max === null || mark.timeMs < min || mark.timeMs > max) continue;
    const left = Math.round(plot.valToPos(mark.timeMs, "x", true));
    withText(plot, "--accent", () => {
      ctx.lineWidth = uPlot.pxRatio;
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
      ctx.textBaseline = "bottom";
      ctx.textAlign = "center";
      ctx.fillText(mark.label, left, bbox.top - 1);
    });
  }
}

function drawEndLabels(plot: uPlot, spec: ChartSpec): void {
  const { ctx, bbox } = plot;
  const ends = spec.lines.flatMap((line) => {
    const value = lastValue(line.values);
    return value === null ? [] : [{ line, value, wanted: plot.valToPos(value, "y", true) }];
  });
  const half = (LABEL_HEIGHT_PX / 2) * uPlot.pxRatio;
  const places = placeLabels(
    ends.map((end) => end.wanted),
    {
      gap: LABEL_HEIGHT_PX * uPlot.pxRatio,
      top: bbox.top + half,
      bottom: bbox.top + bbox.height - half,
    },
  );
  ends.forEach(({ line, value }, index) => {
    const left = bbox.left + bbox.width + 6 * uPlot.pxRatio;
    const place = places[index] ?? 0;
    const swatch = 6 * uPlot.pxRatio;
    withText(plot, line.colour, () => ctx.fillRect(left, place - swatch / 2, swatch, swatch));
    withText(plot, "--ink-2", () => {
      ctx.textBaseline = "middle";
      ctx.fillText(`${line.label} ${spec.format(value)}`, left + 2 * swatch, place);
    });
  });
}

function withText(plot: uPlot, colour: string, draw: () => void): void {
  const { ctx } = plot;
  ctx.save();
  ctx.font = FONT.replace("11px", `${11 * uPlot.pxRatio}px`);
  ctx.textAlign = "left";
  ctx.fillStyle = readColour(colour);
  ctx.strokeStyle = ctx.fillStyle;
  draw();
  ctx.restore();
}
