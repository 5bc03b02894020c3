/** How bad an error is: the words of the API, as constants and as a type. */
export const ErrorSeverity = {
  INFO: "info",
  WARNING: "warning",
  ERROR: "error",
  CRITICAL: "critical",
} as const;

export type ErrorSeverity = (typeof ErrorSeverity)[keyof typeof ErrorSeverity];

/** From the mildest on. */
export const severities: readonly ErrorSeverity[] = Object.values(ErrorSeverity);
