/** How the workspace behaves where a real one differs from day to day; a test may change it at any time. */
export type Behaviour = {
  /** From a new configuration of an endpoint to its first container. */
  endpointStartMs: number;
  /** Without a request for so long, an entity that may scale to zero does. */
  scaleToZeroMs: number;
  /** From a request to its row in the inference table. */
  inferenceTableDelayMs: number;
  /** Hosts beside loopback that notifications are sent to. */
  readonly notificationHosts: Set<string>;
  /** From a stopped SQL warehouse to a running one. */
  warehouseStartMs: number;
  /** Endpoints of which no container can be started, with the message that says why. */
  readonly failingStarts: Map<string, string>;
};
