/** What is broken, how often, since when: errors grouped by cause, most frequent first. */
import type { ErrorGroupRow } from "../api.ts";
import { Age } from "../elements/moment.tsx";
import { Sparkline } from "../elements/sparkline.tsx";
import { formatCount, formatMomentSeconds } from "../format.ts";
import { agentHref, type Range } from "../route.ts";

type Props = {
  groups: readonly ErrorGroupRow[];
  nowMs: number;
  range: Range;
  showAgent?: true;
};

export function ErrorGroupList({ groups, nowMs, range, showAgent }: Props) {
  return (
    <ul class="error-groups">
      {groups.map((group) => (
        <li
          key={`${group.endpoint} ${group.group}`}
          data-testid="error-group"
          data-group={group.group}
        >
          <div class="error-head">
            <strong title={group.type}>{group.type}</strong>
            <span class="tag">{group.errorClass.replaceAll("_", " ")}</span>
            <Sparkline counts={group.trend} label={`${group.count} in this range`} />
            <span class="error-count" title={countTitle(group)}>
              {formatCount(group.count)}×
            </span>
          </div>
          {group.message && <Message line={group.line} text={group.message} />}
          <p class="error-where">
            {showAgent &&
              [group.endpoint, ...group.alsoIn].map((endpoint) => (
                <a key={endpoint} href={agentHref(endpoint, range)}>
                  {endpoint}
                </a>
              ))}
            {moreAgents(group) > 0 && <span>and {formatCount(moreAgents(group))} more agents</span>}
            <code>{group.path}</code>
            <span>
              last <Age timeMs={group.lastMs} nowMs={nowMs} />, first{" "}
              {formatMomentSeconds(group.firstMs, nowMs)}
            </span>
            {group.handled > 0 && (
              <span title="The request answered in spite of the error">{survivedWords(group)}</span>
            )}
          </p>
        </li>
      ))}
    </ul>
  );
}

/** One line, which opens: a message may be a whole traceback. */
function Message({ line, text }: { line: string; text: string }) {
  return (
    <details class="error-message">
      <summary>{line}</summary>
      <pre>{text}</pre>
    </details>
  );
}

/** The request went on and answered in spite of the error. */
function survivedWords({ count, handled }: ErrorGroupRow): string {
  if (handled < count) return `${formatCount(handled)} of ${formatCount(count)} recovered`;
  return count === 1 ? "recovered" : "all recovered";
}

function moreAgents({ agents, alsoIn }: ErrorGroupRow): number {
  return agents - 1 - alsoIn.length;
}

function countTitle({ count, handled }: ErrorGroupRow): string {
  if (handled === 0) return `${count} times`;
  return `${count} times; the request recovered from ${handled} of them`;
}
