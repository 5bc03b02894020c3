/** One agent: why is it slow, failing or expensive, down to the module, the model and the request. */
import { agentAbout } from "../agent-about.ts";
import type { AgentView } from "../api.ts";
import { Chart } from "../charts/chart.tsx";
import { chartsOf } from "../charts/chart-spec.ts";
import { AwaitedRows, Panel } from "../elements/panel.tsx";
import { overviewHref, type Range } from "../route.ts";
import { AlertList } from "../sections/alerts.tsx";
import { ChangeList } from "../sections/changes.tsx";
import { ComponentList } from "../sections/components.tsx";
import { ErrorGroupList } from "../sections/error-groups.tsx";
import { NotificationList } from "../sections/notifications.tsx";
import { SentenceBlock } from "../sections/sentence.tsx";
import { Models } from "./models.tsx";
import { Modules } from "./modules.tsx";
import { Numbers } from "./numbers.tsx";
import { PlatformMetrics } from "./platform.tsx";
import { Requests } from "./requests.tsx";

type Props = { endpoint: string; view: AgentView | null; range: Range };

export function AgentPage({ endpoint, view, range }: Props) {
  const nowMs = view?.asOfMs ?? 0;
  const alerts = view?.alerts.filter((alert) => alert.state !== "resolved") ?? [];
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href={overviewHref(range)}>Overview</a>
        <span aria-hidden="true">/</span>
        <h1>{endpoint}</h1>
        {view && <span class="quiet crumbs-about">{agentAbout(view.agent).join(" · ")}</span>}
      </nav>
      <SentenceBlock sentence={view?.sentence ?? null} />
      {view && alerts.length > 0 && (
        <AlertList alerts={alerts} sentence={view.sentence} nowMs={nowMs} range={range} />
      )}
      <Numbers view={view} range={range} />
      <div class="charts">
        {view
          ? chartsOf(view).map((spec) => <Chart key={spec.id} spec={spec} />)
          : ["latency", "traffic", "errors", "tokens", "cost"].map((id) => (
              <div key={id} class={`chart chart-${id} chart-awaited`} aria-hidden="true" />
            ))}
      </div>
      <Panel id="modules" title="Modules" count={view?.modules.length}>
        {!view && <AwaitedRows rows={6} />}
        {view?.modules.length === 0 && (
          <p class="none">No module call in this range. The tree comes with the next request.</p>
        )}
        {view && view.modules.length > 0 && <Modules modules={view.modules} />}
      </Panel>
      <Panel id="models" title="Models" count={view?.models.length}>
        {!view && <AwaitedRows rows={2} />}
        {view?.models.length === 0 && <p class="none">No model was called in this range.</p>}
        {view && view.models.length > 0 && <Models models={view.models} />}
      </Panel>
      {view && <Details view={view} range={range} />}
    </>
  );
}

function Details({ view, range }: { view: AgentView; range: Range }) {
  const nowMs = view.asOfMs;
  return (
    <div class="columns">
      <div class="column">
        <Panel id="errors" title="Errors" count={view.errorGroups.length}>
          {view.errorGroups.length === 0 && <p class="none">No errors in this range.</p>}
          <ErrorGroupList groups={view.errorGroups} nowMs={nowMs} range={range} />
        </Panel>
        <Panel id="failing" title="Failing requests" count={view.failing.length}>
          {view.failing.length === 0 && <p class="none">No request failed in this range.</p>}
          {view.failing.length > 0 && (
            <Requests label="Failing requests" requests={view.failing} nowMs={nowMs} />
          )}
        </Panel>
        <Panel id="slowest" title="Slowest requests" count={view.slowest.length}>
          {view.slowest.length === 0 && <p class="none">No request in this range.</p>}
          {view.slowest.length > 0 && (
            <Requests label="Slowest requests" requests={view.slowest} nowMs={nowMs} />
          )}
        </Panel>
      </div>
      <div class="column">
        <Panel id="changes" title="What changed">
          {view.changes.length === 0 && <p class="none">Nothing changed yet.</p>}
          <ChangeList changes={view.changes} nowMs={nowMs} range={range} />
        </Panel>
        <Panel id="notifications" title="Notifications" count={view.notifications.length}>
          {view.notifications.length === 0 && (
            <p class="none">Nothing was sent about this agent.</p>
          )}
          <NotificationList notifications={view.notifications} nowMs={nowMs} />
        </Panel>
        {view.platform && (
          <Panel id="platform" title="Endpoint metrics" aside="last minute">
            <PlatformMetrics platform={view.platform} nowMs={nowMs} />
          </Panel>
        )}
        <Panel id="health" title="Health" count={view.health.length}>
          {view.health.length === 0 && <p class="none">No check ran yet.</p>}
          <ComponentList components={view.health} nowMs={nowMs} />
        </Panel>
      </div>
    </div>
  );
}
