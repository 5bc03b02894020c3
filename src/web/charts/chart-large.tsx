/**
 * One chart alone: large, its figures as a table, and the query that makes it. It has
 * an address of its own, so that a link shows the receiver what the sender looked at.
 */
import { useEffect, useRef } from "preact/hooks";
import { CopyText } from "../elements/copy.tsx";
import { Unknown } from "../elements/figure.tsx";
import { type Range, rangeWords } from "../route.ts";
import { Drawing, Readout, useCursor } from "./chart.tsx";
import { chartQueries } from "./chart-queries.ts";
import { type ChartSpec, hasValues } from "./chart-spec.ts";
import { chartTable } from "./chart-words.ts";

const HEIGHT_PX = 320;

type Props = { spec: ChartSpec; endpoint: string; range: Range; onClose: () => void };

export function ChartLarge({ spec, endpoint, range, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [cursor, setCursor] = useCursor();
  useEffect(() => dialog.current?.showModal(), []);

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard closes a dialog with Escape
    <dialog
      class="chart-large"
      ref={dialog}
      onClose={onClose}
      // A click beside it: the dialog itself is only hit outside of what it holds.
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
      aria-labelledby="chart-large-title"
      data-testid="chart-large"
      data-chart={spec.id}
    >
      <div class="chart-large-inside">
        <header class="chart-large-head">
          <h2 id="chart-large-title">
            {spec.title} of <bdi>{endpoint}</bdi>
          </h2>
          <span class="quiet">
            {spec.per ? `${spec.per}, ` : ""}last {rangeWords(range)}
          </span>
          <button type="button" class="button" onClick={() => dialog.current?.close()}>
            Close <kbd>Esc</kbd>
          </button>
        </header>
        {hasValues(spec) ? (
          <>
            <div class="chart-large-readout">
              <Readout spec={spec} cursor={cursor} />
            </div>
            <Drawing
              key={spec.lines.map((line) => line.label).join()}
              spec={spec}
              heightPx={HEIGHT_PX}
              onCursor={setCursor}
            />
          </>
        ) : (
          <div class="chart-plot chart-empty">{spec.whenEmpty}</div>
        )}
        <div class="chart-large-below">
          <Figures spec={spec} />
          <section aria-labelledby="chart-large-query">
            <h3 id="chart-large-query">PromQL</h3>
            <p class="quiet">For a Prometheus that scrapes /metrics of this monitor.</p>
            <dl class="queries">
              {chartQueries(spec.id, endpoint).map(({ label, promql }) => (
                <div key={label}>
                  <dt>{label}</dt>
                  <dd>
                    <CopyText text={promql} />
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        </div>
      </div>
    </dialog>
  );
}

function Figures({ spec }: { spec: ChartSpec }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll" aria-label={`${spec.title}, figures`} tabIndex={0}>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Time</th>
            {spec.lines.map((line) => (
              <th key={line.label} scope="col">
                {line.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {chartTable(spec).map((row) => (
            <tr key={row.timeMs}>
              <th scope="row">{row.time}</th>
              {row.values.map((value, index) => (
                <td key={spec.lines[index]?.label}>{value ?? <Unknown why="no value" />}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
