/** Patterns that are worth waking up for in any agent, to register as they are or changed. */
import { checkFunction } from "../option.ts";
import type { AlertCallback, ErrorPattern } from "./error-pattern.ts";

/** One callback for all of them; the second argument says which pattern it is. */
export function createDefaultPatterns(alertCallback: AlertCallback = () => {}): ErrorPattern[] {
  checkFunction("the callback of the patterns", alertCallback);
  return [
    {
      name: "critical_error",
      severities: ["critical"],
      thresholdCount: 1,
      timeWindowSeconds: 300,
      alertCallback,
    },
    {
      name: "high_error_rate",
      severities: ["error", "critical"],
      thresholdCount: 20,
      timeWindowSeconds: 300,
      alertCallback,
    },
    {
      name: "repeated_timeouts",
      errorClasses: ["timeout"],
      thresholdCount: 5,
      timeWindowSeconds: 300,
      alertCallback,
    },
    {
      name: "model_provider_failing",
      errorClasses: ["lm_provider", "lm_context"],
      thresholdCount: 10,
      timeWindowSeconds: 300,
      alertCallback,
    },
    {
      name: "tools_failing",
      errorClasses: ["tool", "retriever"],
      thresholdCount: 10,
      timeWindowSeconds: 300,
      alertCallback,
    },
    {
      name: "deployment_failing",
      errorTypes: ["deployment"],
      severities: ["error", "critical"],
      thresholdCount: 3,
      timeWindowSeconds: 3600,
      alertCallback,
    },
  ];
}
