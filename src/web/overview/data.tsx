/** Whether the figures can be trusted: every source with its "as of", and what was dropped and why. */
import type { Overview, Status } from "../api.ts";
import { Age } from "../elements/moment.tsx";
import { State } from "../elements/state.tsx";
import { formatCount } from "../format.ts";
import { lossWords } from "../loss-words.ts";

const STATUS: Record<Overview["data"][number]["state"], Status> = {
  ok: "healthy",
  failing: "critical",
  waiting: "unknown",
};

export function DataSources({ overview }: { overview: Overview }) {
  const { asOfMs, data, dropped } = overview;
  const lost = lossWords(overview);
  return (
    <>
      <ul class="data-sources">
        {data.map((source) => (
          <li key={source.name}>
            <span class="data-name">{source.name}</span>
            <State status={STATUS[source.state]} word={source.state} />
            <span class="data-as-of">
              {source.asOfMs === null ? (
                "nothing yet"
              ) : (
                <>
                  as of <Age timeMs={source.asOfMs} nowMs={asOfMs} />
                </>
              )}
            </span>
            <span class="data-message">{source.message}</span>
          </li>
        ))}
      </ul>
      <p class="dropped">
        {dropped.length === 0 ? (
          "Nothing was left out of what is kept."
        ) : (
          <>
            Left out of what is kept:{" "}
            {dropped.map(({ reason, count }, index) => (
              <span key={reason}>
                {index > 0 && ", "}
                <b>{formatCount(count)}</b> {reason.replaceAll("_", " ")}
              </span>
            ))}
            .
          </>
        )}
        {lost && ` ${lost}`}
      </p>
    </>
  );
}
