/** What is broken, how often, since when: errors grouped by cause, most frequent first. */
import type { ErrorGroupRow } from "../api.ts";
import { Age } from "../elements/moment.tsx";
import { Sparkline } from "../elements/sparkline.tsx";
import { formatCount, formatMoment } from "../format.ts";
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
            <strong>{group.type}</strong>
            <span class="tag">{group.errorClass.replaceAll("_", " ")}</span>
            <Sparkline counts={group.trend} label={`${group.count} in this range`} />
            <span class="error-count" title={countTitle(group)}>
              {formatCount(group.count)}×
            </span>
          </div>
          <p class="error-message" title={group.message}>
            {group.message}
          </p>
          <p class="error-where">
            {showAgent && <a href={agentHref(group.endpoint, range)}>{group.endpoint}</a>}
            <code>{group.path}</code>
            <span>
              last <Age timeMs={group.lastMs} nowMs={nowMs} />, first{" "}
              {formatMoment(group.firstMs, nowMs)}
            </span>
            {group.handled > 0 && <span>{formatCount(group.handled)} survived by the request</span>}
          </p>
        </li>
      ))}
    </ul>
  );
}

function countTitle({ count, handled }: ErrorGroupRow): string {
  if (handled === 0) return `${count} times`;
  return `${count} times; the request survived ${handled} of them`;
}
