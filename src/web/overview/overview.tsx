/** The overview: is anything wrong anywhere, then which agent, then what changed and what can be trusted. */
import type { Overview } from "../api.ts";
import { Fold } from "../elements/fold.tsx";
import { AwaitedRows, Panel } from "../elements/panel.tsx";
import { figuresNote } from "../figures-note.ts";
import type { Range } from "../route.ts";
import { Alerts } from "../sections/alerts.tsx";
import { ChangeList } from "../sections/changes.tsx";
import { ComponentList } from "../sections/components.tsx";
import { ErrorGroupList } from "../sections/error-groups.tsx";
import { NotificationList } from "../sections/notifications.tsx";
import { SentenceBlock } from "../sections/sentence.tsx";
import { Agents } from "./agents.tsx";
import { DataSources } from "./data.tsx";

export function OverviewView({ overview, range }: { overview: Overview | null; range: Range }) {
  const nowMs = overview?.asOfMs ?? 0;
  const note = overview && figuresNote(overview);
  return (
    <>
      <h1 class="visually-hidden">Overview</h1>
      <SentenceBlock sentence={overview?.sentence ?? null} />
      <Alerts
        alerts={overview?.alerts ?? null}
        sentence={overview?.sentence ?? null}
        nowMs={nowMs}
        range={range}
        showAgent
      />
      {note && (
        <p class="figures-note" data-testid="figures-note">
          {note}
        </p>
      )}
      <Agents
        agents={overview?.agents ?? null}
        alerts={overview?.alerts ?? []}
        source={overview?.source ?? null}
        nowMs={nowMs}
        range={range}
      />
      <div class="columns" data-busy={overview?.agents.length !== 0 || undefined}>
        <Panel id="changes" title="What changed" steady>
          {!overview && <AwaitedRows rows={4} />}
          {overview?.changes.length === 0 && (
            <p class="none">
              Nothing changed yet. Alerts, deployments, new errors and changes of health come here.
            </p>
          )}
          {overview && (
            <Fold rows={overview.changes.length}>
              <ChangeList changes={overview.changes} nowMs={nowMs} range={range} showAgent />
            </Fold>
          )}
        </Panel>
        <Panel id="errors" title="Errors" count={overview?.errorGroups.length} steady>
          {!overview && <AwaitedRows rows={4} />}
          {overview?.errorGroups.length === 0 && (
            <p class="none">
              No errors in this range. They will stand here by cause, with trend and place.
            </p>
          )}
          {overview && (
            <Fold rows={overview.errorGroups.length}>
              <ErrorGroupList groups={overview.errorGroups} nowMs={nowMs} range={range} showAgent />
            </Fold>
          )}
        </Panel>
        <Panel
          id="notifications"
          title="Notifications"
          count={overview?.notifications.length}
          steady
        >
          {!overview && <AwaitedRows rows={4} />}
          {overview?.notifications.length === 0 && (
            <p class="none">
              Nothing was sent. When an alert fires, its message stands here as it was sent.
            </p>
          )}
          {overview && (
            <Fold rows={overview.notifications.length}>
              <NotificationList notifications={overview.notifications} nowMs={nowMs} />
            </Fold>
          )}
        </Panel>
        <Panel id="health" title="Health" count={overview?.health.length} steady>
          {!overview && <AwaitedRows rows={4} />}
          {overview?.health.length === 0 && (
            <p class="none">
              No check ran yet. The endpoints of a watched workspace are checked; without one there
              is nothing to check.
            </p>
          )}
          {overview && (
            <Fold rows={overview.health.length}>
              <ComponentList components={overview.health} nowMs={nowMs} />
            </Fold>
          )}
        </Panel>
        <Panel id="data" title="Data" aside="where these figures come from">
          {overview ? <DataSources overview={overview} /> : <AwaitedRows rows={2} />}
        </Panel>
      </div>
    </>
  );
}
