/** What Databricks' own endpoint metrics say of the last minute. */
import type { AgentView } from "../api.ts";
import { Age } from "../elements/moment.tsx";
import { formatCount, formatDuration, formatPercent } from "../format.ts";

type Platform = NonNullable<AgentView["platform"]>;

export function PlatformMetrics({ platform, nowMs }: { platform: Platform; nowMs: number }) {
  return (
    <dl class="platform">
      {platform.map((metric) => (
        <div key={metric.name}>
          <dt>{metric.name.replaceAll("_", " ")}</dt>
          <dd>
            {formatPlatform(metric)}{" "}
            <span class="quiet">
              <Age timeMs={metric.timeMs} nowMs={nowMs} />
            </span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function formatPlatform({ value, unit }: Platform[number]): string {
  if (unit === "ms") return formatDuration(value);
  if (unit === "percent" || unit === "%") return formatPercent(value);
  return unit ? `${formatCount(value)}\u00a0${unit}` : formatCount(value);
}
