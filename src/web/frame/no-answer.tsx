/** Says calmly that the figures have stopped, since when, and that the page goes on trying. */

import { Empty } from "../elements/empty.tsx";
import { formatClockSeconds } from "../format.ts";
import type { Live } from "../live.ts";

export function NoAnswerBanner({ live }: { live: Live<unknown> }) {
  const failing = live.failure?.kind === "no answer" ? live.failure : null;
  return (
    <div role="status">
      {failing && live.answeredMs !== null && (
        <p class="banner" data-testid="no-answer">
          <b>The monitor has not answered since {formatClockSeconds(failing.sinceMs)}.</b> These are
          the figures of {formatClockSeconds(live.answeredMs)}. The page tries again every 2
          seconds; if the monitor was stopped, start it again.
        </p>
      )}
    </div>
  );
}

/** For a page that was opened while no monitor runs. */
export function NeverAnswered({ sinceMs }: { sinceMs: number }) {
  return (
    <section class="panel never-answered" data-testid="no-answer">
      <h1>The monitor does not answer</h1>
      <Empty command="npm start">
        No figures since {formatClockSeconds(sinceMs)}. This page fills by itself as soon as the
        monitor runs:
      </Empty>
    </section>
  );
}
