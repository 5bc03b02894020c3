/** Chooses the release whose calls the modules and models show. The choice stands in the address. */
import type { AgentView } from "../api.ts";
import { type AgentRoute, routeHref } from "../route.ts";
import { filterKey, releaseOptions } from "./release-options.ts";

type Props = { view: AgentView; route: AgentRoute };

export function ReleaseSelect({ view, route }: Props) {
  const options = releaseOptions(view.releases, route.of);
  if (options.length === 0) return null;
  return (
    <select
      class="release-select"
      aria-label="Release"
      value={filterKey(route.of)}
      onChange={({ currentTarget }) => {
        const chosen = options.find(({ value }) => value === currentTarget.value);
        if (chosen) location.hash = routeHref({ ...route, of: chosen.of });
      }}
    >
      {options.map(({ value, label }) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}
