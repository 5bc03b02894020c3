/** What the agents depend on: each component's state, the evidence, and when it was last looked at. */
import type { ComponentRow } from "../api.ts";
import { Age } from "../elements/moment.tsx";
import { State, statusOfHealth } from "../elements/state.tsx";
import { formatDuration, formatSpan } from "../format.ts";

export function ComponentList({
  components,
  nowMs,
}: {
  components: readonly ComponentRow[];
  nowMs: number;
}) {
  return (
    <ul class="components">
      {components.map((component) => (
        <li
          key={component.component}
          data-testid="component"
          data-component={component.component}
          data-status={component.status}
        >
          <span class="component-name">{component.component}</span>
          <State status={statusOfHealth(component.status)} word={component.state} />
          <span class="component-since" title="How long it has been in this state">
            for {formatSpan(nowMs - component.sinceMs)}
          </span>
          <span class="component-message">
            {component.message}{" "}
            <span class="quiet">
              Checked <Age timeMs={component.checkedMs} nowMs={nowMs} />
              {component.latencyMs !== null && <>, in {formatDuration(component.latencyMs)}</>}.
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}
