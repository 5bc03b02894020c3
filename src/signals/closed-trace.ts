/** What one trace says once it is closed: the signals that later stages know. */
import type { ErrorEvent } from "./error-event.ts";
import type { ModuleCall, Request } from "./request.ts";
import type { Convention } from "./span.ts";

export type ClosedTrace = {
  readonly traceId: string;
  readonly endpoint: string;
  readonly convention: Convention;
  /** One, but none for a lone embedding or model call, and several where a trace has several roots. */
  readonly requests: readonly Request[];
  /** In tree order: a caller before what it calls. */
  readonly moduleCalls: readonly ModuleCall[];
  readonly errors: readonly ErrorEvent[];
  readonly spans: number;
  /** Spans whose parent never came. */
  readonly orphanSpans: number;
};
