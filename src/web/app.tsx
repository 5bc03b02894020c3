/** The page: reads the address, asks the API for what it names, and shows it inside the frame. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { AgentPage } from "./agent/agent.tsx";
import type { AgentView, Overview, Source } from "./api.ts";
import { Empty } from "./elements/empty.tsx";
import { Help } from "./frame/help.tsx";
import { NeverAnswered, NoAnswerBanner } from "./frame/no-answer.tsx";
import { type Pulse, TelemetryNote, TopBar } from "./frame/top-bar.tsx";
import { useKeyboard } from "./frame/use-keyboard.ts";
import type { Live } from "./live.ts";
import { OverviewView } from "./overview/overview.tsx";
import { type AgentRoute, apiPath, overviewHref, parseRoute, type Route } from "./route.ts";
import { withLastKnown } from "./sections/last-known.ts";
import { useTab } from "./tab.ts";
import { useLive } from "./use-live.ts";

type Answer =
  | { readonly view: "overview"; readonly live: Live<Overview> }
  | { readonly view: "agent"; readonly route: AgentRoute; readonly live: Live<AgentView> };

export function App() {
  const route = useRoute();
  const [isHelpOpen, setHelpOpen] = useState(false);
  const showHelp = useCallback(() => setHelpOpen(true), []);
  const goToOverview = useCallback(() => {
    location.hash = overviewHref(route.range);
  }, [route.range]);
  useKeyboard({ goToOverview, showHelp });

  const answer = useAnswer(route);
  const { live } = answer;
  const source = useLastSource(live);
  useTab(live.data?.sentence, live.failure?.kind === "no answer");

  return (
    <>
      <button type="button" class="button skip" onClick={skipToMain}>
        Skip to the figures
      </button>
      <TopBar route={route} source={source} pulse={pulseOf(live)} />
      <main
        class="page"
        tabIndex={-1}
        data-view={route.view}
        data-stale={(live.data && live.failure?.kind === "no answer") || undefined}
        aria-busy={live.data === null}
      >
        <View answer={answer} route={route} />
      </main>
      <NoAnswerBanner live={live} />
      <footer class="foot">
        <TelemetryNote source={source} />
        <button type="button" class="button" onClick={showHelp}>
          <kbd>?</kbd> Keyboard
        </button>
      </footer>
      <Help open={isHelpOpen} onClose={() => setHelpOpen(false)} />
    </>
  );
}

function View({ answer, route }: { answer: Answer; route: Route }) {
  const { data, failure } = answer.live;
  if (!data && failure?.kind === "no answer") return <NeverAnswered sinceMs={failure.sinceMs} />;
  if (answer.view === "overview") {
    return <OverviewView overview={answer.live.data} range={route.range} />;
  }
  if (!data && failure?.kind === "not found") {
    return (
      <section class="panel never-answered">
        <h1>No agent named {answer.route.endpoint}</h1>
        <Empty>
          It appears here with its first request.{" "}
          <a href={overviewHref(route.range)}>Show all agents</a>
        </Empty>
      </section>
    );
  }
  return <AgentPage view={answer.live.data} route={answer.route} />;
}

/** The address of an overview answers an overview, that of an agent an agent's view. */
function useAnswer(route: Route): Answer {
  const live = withLastKnown(useLive<Overview | AgentView>(apiPath(route)));
  return route.view === "overview"
    ? { view: "overview", live: live as Live<Overview> }
    : { view: "agent", route, live: live as Live<AgentView> };
}

function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onHashChange = () => setHash(location.hash);
    addEventListener("hashchange", onHashChange);
    return () => removeEventListener("hashchange", onHashChange);
  }, []);

  const route = parseRoute(hash);
  const place = route.view === "agent" ? route.endpoint : "";
  // Another place begins at its top.
  useEffect(() => {
    if (place !== null) scrollTo(0, 0);
  }, [place]);
  return route;
}

/** Between two views nothing is known of the next one yet, but the source is the same. */
function useLastSource(live: Live<{ readonly source: Source }>): Source | null {
  const [last, setLast] = useState<Source | null>(null);
  const source = live.data?.source;
  useEffect(() => {
    if (source) setLast(source);
  }, [source]);
  return source ?? last;
}

/** No link: the hash belongs to the route. */
function skipToMain(): void {
  document.querySelector<HTMLElement>("main")?.focus();
}

function pulseOf(live: Live<unknown>): Pulse {
  if (live.failure?.kind === "no answer") return "no answer";
  return live.data || live.failure ? "live" : "connecting";
}
