/** The overview: is anything wrong anywhere, then which agent, then what changed and what can be trusted. */
import type { Overview } from "../api.ts";
import { AwaitedRows, Panel } from "../elements/panel.tsx";
import type { Range } from "../route.ts";
import { AlertList } from "../sections/alerts.tsx";
import { ChangeList } from "../sections/changes.tsx";
import { ComponentList } from "../sections/components.tsx";
import { ErrorGroupList } from "../sections/error-groups.tsx";
import { NotificationList } from "../sections/notifications.tsx";
import { SentenceBlock } from "../sections/sentence.tsx";
import { Agents } from "./agents.tsx";
import { DataSources } from "./data.tsx";

export function OverviewView({ overview, range }: { overview: Overview | null; range: Range }) {
  const nowMs = overview?.asOfMs ?? 0;
  const alerts = overview?.alerts.filter((alert) => alert.state !== "resolved") ?? [];
  return (
    <>
      <SentenceBlock sentence={overview?.sentence ?? null} />
      {overview && alerts.length > 0 && (
        <AlertList
          alerts={alerts}
          sentence={overview.sentence}
          nowMs={nowMs}
          range={range}
          showAgent
        />
      )}
      <Agents
        agents={overview?.agents ?? null}
        source={overview?.source ?? null}
        nowMs={nowMs}
        range={range}
      />
      <div class="columns">
        <div class="column">
          <Panel id="changes" title="What changed">
            {!overview && <AwaitedRows rows={4} />}
            {overview?.changes.length === 0 && (
              <p class="none">Nothing changed yet. Alerts and new errors come here.</p>
            )}
            {overview && <ChangeList changes={overview.changes} nowMs={nowMs} range={range} />}
          </Panel>
          <Panel id="notifications" title="Notifications" count={overview?.notifications.length}>
            {!overview && <AwaitedRows rows={4} />}
            {overview?.notifications.length === 0 && (
              <p class="none">
                Nothing was sent. When an alert fires, its message stands here as it was sent.
              </p>
            )}
            {overview && <NotificationList notifications={overview.notifications} nowMs={nowMs} />}
          </Panel>
        </div>
        <div class="column">
          <Panel id="errors" title="Errors" count={overview?.errorGroups.length}>
            {!overview && <AwaitedRows rows={4} />}
            {overview?.errorGroups.length === 0 && (
              <p class="none">
                No errors in this range. They will stand here by cause, with trend and place.
              </p>
            )}
            {overview && (
              <ErrorGroupList groups={overview.errorGroups} nowMs={nowMs} range={range} showAgent />
            )}
          </Panel>
          <Panel id="health" title="Health" count={overview?.health.length}>
            {!overview && <AwaitedRows rows={4} />}
            {overview?.health.length === 0 && (
              <p class="none">
                No check ran yet. The endpoints of a watched workspace are checked; without one
                there is nothing to check.
              </p>
            )}
            {overview && <ComponentList components={overview.health} nowMs={nowMs} />}
          </Panel>
          <Panel id="data" title="Data">
            {overview ? <DataSources overview={overview} /> : <AwaitedRows rows={3} />}
          </Panel>
        </div>
      </div>
    </>
  );
}
