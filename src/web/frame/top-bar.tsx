/** The bar above every view: product, where the figures come from, range, theme, and whether it is live. */
import { useState } from "preact/hooks";
import type { Source } from "../api.ts";
import { RANGES, type Route, rangeWords, routeHref } from "../route.ts";
import { applyTheme, readTheme, THEMES, type Theme } from "../theme.ts";

export type Pulse = "live" | "connecting" | "no answer";

type Props = { route: Route; source: Source | null; pulse: Pulse };

export function TopBar({ route, source, pulse }: Props) {
  return (
    <header class="top">
      <div class="top-bar">
        <a class="product" href={routeHref({ view: "overview", range: route.range })}>
          <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M6 17h5l3-8 4 14 3-6h5" />
          </svg>
          dspy-databricks
        </a>
        <SourceWords source={source} />
        <RangeSwitch route={route} />
        <ThemeSwitch />
        <span class="pulse" data-pulse={pulse} data-testid="pulse">
          <i aria-hidden="true" />
          {pulse}
        </span>
      </div>
    </header>
  );
}

/** Its place is kept while the source is not known yet. */
function SourceWords({ source }: { source: Source | null }) {
  return (
    <div class="source">
      {source && (
        <p class="source-name">
          {sourceName(source)}
          {source.telemetry === "recorded" && <span class="tag">recorded</span>}
        </p>
      )}
      <TelemetryNote source={source} />
    </div>
  );
}

/** In the bar; on a phone, where the sentence needs the place, at the foot. */
export function TelemetryNote({ source }: { source: Source | null }) {
  if (source?.telemetry !== "recorded") return null;
  return (
    <p class="telemetry-note" data-testid="telemetry-note">
      Real DSPy programs made this telemetry; it was recorded and is sent again with present times.
    </p>
  );
}

function sourceName(source: Source): string {
  switch (source.kind) {
    case "local":
      return "local example workspace";
    case "workspace":
      return source.host?.replace(/^https?:\/\//, "") ?? "Databricks workspace";
    case "receiver":
      return "OTLP receiver";
  }
}

function RangeSwitch({ route }: { route: Route }) {
  return (
    <nav class="switch" aria-label="Time range">
      {RANGES.map((range) => (
        <a
          key={range}
          href={routeHref({ ...route, range })}
          aria-current={range === route.range ? "true" : undefined}
          aria-label={`${range}: the last ${rangeWords(range)}`}
        >
          {range}
        </a>
      ))}
    </nav>
  );
}

const THEME_SHAPES: Record<Theme, string> = {
  system: "M2 3h12v8H2zM6 14h4M8 11v3",
  light:
    "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  dark: "M13.5 9.5A6 6 0 0 1 6.5 2.5 6 6 0 1 0 13.5 9.5Z",
};

function ThemeSwitch() {
  const [theme, setTheme] = useState(readTheme);
  return (
    <fieldset class="switch theme-switch">
      <legend class="visually-hidden">Colours</legend>
      {THEMES.map((choice) => (
        <button
          key={choice}
          type="button"
          aria-pressed={choice === theme}
          aria-label={`${choice} colours`}
          title={`${choice} colours`}
          onClick={() => {
            applyTheme(choice);
            setTheme(choice);
          }}
        >
          <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
            <path d={THEME_SHAPES[choice]} />
          </svg>
        </button>
      ))}
    </fieldset>
  );
}
