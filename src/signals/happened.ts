/** What one entry of the journal says that is worth keeping for long. */
import type { AlertChange } from "./alert.ts";
import type { ClosedTrace } from "./closed-trace.ts";
import type { Deployment } from "./deployment.ts";
import type { HealthResult } from "./health-result.ts";
import type { LoggedRequest } from "./logged-request.ts";
import type { Sample } from "./sample.ts";

export type Happened = {
  readonly traces: readonly ClosedTrace[];
  /** Those that no trace tells. */
  readonly logged: readonly LoggedRequest[];
  /** What a platform says of itself. */
  readonly samples: readonly Sample[];
  /** What services pushed of themselves. */
  readonly pushed: readonly Sample[];
  readonly health: readonly HealthResult[];
  readonly alerts: readonly AlertChange[];
  readonly deployments: readonly Deployment[];
};

export const nothingHappened: Happened = {
  traces: [],
  logged: [],
  samples: [],
  pushed: [],
  health: [],
  alerts: [],
  deployments: [],
};
