/** What Databricks' own endpoint metrics say of the last minute. */
import type { AgentView } from "../api.ts";
import { Age } from "../elements/moment.tsx";
import { platformName, platformValue } from "./platform-words.ts";

type Platform = NonNullable<AgentView["platform"]>;

export function PlatformMetrics({ platform }: { platform: Platform }) {
  return (
    <dl class="platform">
      {platform.map((metric) => (
        <div key={metric.name}>
          <dt title={metric.name}>{platformName(metric)}</dt>
          <dd>{platformValue(metric)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** All are read at once, so their age is said once. */
export function PlatformAge({ platform, nowMs }: { platform: Platform; nowMs: number }) {
  const newestMs = Math.max(...platform.map((metric) => metric.timeMs));
  if (!Number.isFinite(newestMs)) return <>last minute</>;
  return (
    <>
      last minute, read <Age timeMs={newestMs} nowMs={nowMs} />
    </>
  );
}
