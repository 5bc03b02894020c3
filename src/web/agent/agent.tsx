/** One agent: why is it slow, failing or expensive, down to the module, the model and the request. */
import { agentAbout } from "../agent-about.ts";
import type { AgentView } from "../api.ts";
import { Chart } from "../charts/chart.tsx";
import { ChartLarge } from "../charts/chart-large.tsx";
import { chartsOf } from "../charts/chart-spec.ts";
import { cacheWords } from "../cost-words.ts";
import { Fold } from "../elements/fold.tsx";
import { AwaitedRows, Panel } from "../elements/panel.tsx";
import { figuresNote } from "../figures-note.ts";
import { lossWords } from "../loss-words.ts";
import { type AgentRoute, CHARTS, overviewHref, type Range, routeHref } from "../route.ts";
import { Alerts } from "../sections/alerts.tsx";
import { ChangeList } from "../sections/changes.tsx";
import { ComponentList } from "../sections/components.tsx";
import { ErrorGroupList } from "../sections/error-groups.tsx";
import { NotificationList } from "../sections/notifications.tsx";
import { SentenceBlock } from "../sections/sentence.tsx";
import { AccountFigures } from "./account.tsx";
import { Models } from "./models.tsx";
import { Modules } from "./modules.tsx";
import { Numbers } from "./numbers.tsx";
import { PlatformAge, PlatformMetrics } from "./platform.tsx";
import { releaseWords } from "./release-options.ts";
import { ReleaseSelect } from "./release-select.tsx";
import { Releases } from "./releases.tsx";
import { Requests } from "./requests.tsx";
import { Rules } from "./rules.tsx";
import { untoldWords } from "./untold-words.ts";

type Props = { view: AgentView | null; route: AgentRoute };

export function AgentPage({ view, route }: Props) {
  const { endpoint, range, chart, of } = route;
  const nowMs = view?.asOfMs ?? 0;
  const charts = view ? chartsOf(view) : [];
  const large = charts.find((spec) => spec.id === chart);
  const words = releaseWords(of);
  const ofRelease = words && ` of ${words}`;
  const untold = view ? untoldWords(view.agent.conventions) : [];
  const note = view && figuresNote(view);
  const lost = view && lossWords(view.agent);
  const caches = view ? cacheWords(view.agent) : [];
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href={overviewHref(range)}>Overview</a>
        <span aria-hidden="true">/</span>
        <h1>
          <bdi>{endpoint}</bdi>
        </h1>
        {view && <span class="quiet crumbs-about">{agentAbout(view.agent).join(" · ")}</span>}
      </nav>
      <SentenceBlock sentence={view?.sentence ?? null} />
      <Alerts
        alerts={view?.alerts ?? null}
        sentence={view?.sentence ?? null}
        nowMs={nowMs}
        range={range}
      />
      <Numbers view={view} range={range} />
      {note && (
        <p class="figures-note" data-testid="figures-note">
          {note}
        </p>
      )}
      <section class="charts" aria-labelledby="charts-title">
        <h2 id="charts-title" class="visually-hidden">
          Charts
        </h2>
        {view
          ? charts.map((spec) => (
              <Chart
                key={spec.id}
                spec={spec}
                largeHref={routeHref({ ...route, chart: spec.id })}
              />
            ))
          : CHARTS.map((id) => (
              <div key={id} class={`chart chart-${id} chart-awaited`} aria-hidden="true" />
            ))}
      </section>
      {large && (
        <ChartLarge
          spec={large}
          endpoint={endpoint}
          range={range}
          onClose={() => {
            location.hash = routeHref({ ...route, chart: null });
          }}
        />
      )}
      <Panel
        id="modules"
        title="Modules"
        count={view?.modules.length}
        aside={view && <ReleaseSelect view={view} route={route} />}
      >
        {!view && <AwaitedRows rows={6} />}
        {view?.modules.length === 0 && (
          <p class="none">
            No module call{ofRelease} in this range. The tree comes with the next request.
          </p>
        )}
        {view && view.modules.length > 0 && <Modules modules={view.modules} />}
        {lost && (
          <p class="hint" data-testid="loss">
            {lost}
          </p>
        )}
      </Panel>
      <Panel id="models" title="Models" count={view?.models.length} aside={ofRelease}>
        {!view && <AwaitedRows rows={2} />}
        {view?.models.length === 0 && (
          <p class="none">No model was called{ofRelease} in this range.</p>
        )}
        {view && view.models.length > 0 && <Models models={view.models} />}
        {caches.length > 0 && <p class="none">{caches.join(" ")}</p>}
        {untold.length > 0 && (
          <p class="hint" data-testid="untold">
            {untold.join(" ")}
          </p>
        )}
      </Panel>
      {view && view.releases.length > 0 && (
        <Panel id="releases" title="Releases" count={view.releases.length}>
          <Releases releases={view.releases} nowMs={nowMs} />
        </Panel>
      )}
      {view && view.rules.length > 0 && (
        <Panel id="rules" title="Alert rules" count={view.rules.length}>
          <Rules rules={view.rules} />
        </Panel>
      )}
      {view && <Details view={view} range={range} />}
    </>
  );
}

function Details({ view, range }: { view: AgentView; range: Range }) {
  const nowMs = view.asOfMs;
  // Single requests are kept for a while only, whatever the range.
  const ofRecent = view.figures.from === "summaries" && "of the latest 1 000";
  return (
    <div class="columns">
      <Panel id="errors" title="Errors" count={view.errorGroups.length} steady>
        {view.errorGroups.length === 0 && <p class="none">No errors in this range.</p>}
        <Fold rows={view.errorGroups.length}>
          <ErrorGroupList groups={view.errorGroups} nowMs={nowMs} range={range} />
        </Fold>
      </Panel>
      <Panel id="changes" title="What changed" steady>
        {view.changes.length === 0 && <p class="none">Nothing changed yet.</p>}
        <Fold rows={view.changes.length}>
          <ChangeList changes={view.changes} nowMs={nowMs} range={range} />
        </Fold>
      </Panel>
      <Panel
        id="failing"
        title="Failing requests"
        count={view.failing.length}
        aside={ofRecent}
        steady
      >
        {view.failing.length === 0 && <p class="none">No request failed in this range.</p>}
        {view.failing.length > 0 && (
          <Fold rows={view.failing.length}>
            <Requests label="Failing requests" requests={view.failing} nowMs={nowMs} />
          </Fold>
        )}
      </Panel>
      <Panel
        id="slowest"
        title="Slowest requests"
        count={view.slowest.length}
        aside={ofRecent}
        steady
      >
        {view.slowest.length === 0 && <p class="none">No request in this range.</p>}
        {view.slowest.length > 0 && (
          <Fold rows={view.slowest.length}>
            <Requests label="Slowest requests" requests={view.slowest} nowMs={nowMs} />
          </Fold>
        )}
      </Panel>
      <Panel id="notifications" title="Notifications" count={view.notifications.length} steady>
        {view.notifications.length === 0 && <p class="none">Nothing was sent about this agent.</p>}
        <Fold rows={view.notifications.length}>
          <NotificationList notifications={view.notifications} nowMs={nowMs} />
        </Fold>
      </Panel>
      <div class="column">
        <Panel id="health" title="Health" count={view.health.length}>
          {view.health.length === 0 && (
            <p class="none">
              No check ran yet. The endpoint of a watched workspace is checked; without a workspace
              there is nothing to check.
            </p>
          )}
          <ComponentList components={view.health} nowMs={nowMs} />
        </Panel>
        {view.platform && (
          <Panel
            id="platform"
            title="Endpoint metrics"
            aside={<PlatformAge platform={view.platform} nowMs={nowMs} />}
          >
            <PlatformMetrics platform={view.platform} />
          </Panel>
        )}
        {view.account && (
          <Panel
            id="account"
            title="Counted and billed by Databricks"
            aside={`last ${view.account.days} days, UTC`}
          >
            <AccountFigures account={view.account} />
          </Panel>
        )}
      </div>
    </div>
  );
}
