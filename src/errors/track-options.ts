/** What a caller says of an error, and how it is read: whatever it is, and each field once. */
import { type ErrorClass, errorClasses } from "../signals/error-class.ts";
import { ErrorSeverity, severities } from "./error-severity.ts";
import { field } from "./read-safely.ts";

export type TrackOptions = {
  /** `error` by default. */
  readonly severity?: ErrorSeverity;
  readonly agentName?: string;
  readonly modelVersion?: string;
  /** The status that the endpoint answered with; else the thrown error's own. */
  readonly statusCode?: number;
  /** By default told from the type, the status and the error's name. */
  readonly errorClass?: ErrorClass;
  readonly context?: unknown;
  /** What was thrown, whatever it is. */
  readonly error?: unknown;
};

/** The same fields, of a caller who knows no types. */
export type GivenOptions = { readonly [Name in keyof TrackOptions]-?: unknown };

export const NO_OPTIONS: TrackOptions = Object.freeze({});

/** A field that throws when it is read is left out. */
export function readOptions(options: TrackOptions): GivenOptions {
  try {
    const { severity, agentName, modelVersion, statusCode, errorClass, context, error } = options;
    return { severity, agentName, modelVersion, statusCode, errorClass, context, error };
  } catch {
    return readSafely(options);
  }
}

function readSafely(options: unknown): GivenOptions {
  const isObject = typeof options === "object" && options !== null;
  const read = (name: keyof TrackOptions) => (isObject ? field(options, name) : undefined);
  return {
    severity: read("severity"),
    agentName: read("agentName"),
    modelVersion: read("modelVersion"),
    statusCode: read("statusCode"),
    errorClass: read("errorClass"),
    context: read("context"),
    error: read("error"),
  };
}

const ERROR = severities.indexOf(ErrorSeverity.ERROR);

/** Its place among `severities`. */
export function severityIndex(severity: unknown): number {
  switch (severity) {
    case ErrorSeverity.INFO:
      return 0;
    case ErrorSeverity.WARNING:
      return 1;
    case ErrorSeverity.CRITICAL:
      return 3;
    default:
      return ERROR;
  }
}

/** Its place among `errorClasses`, or -1. */
export const classIndex = (errorClass: unknown): number =>
  errorClass === undefined ? -1 : errorClasses.indexOf(errorClass as ErrorClass); // any value may be looked for
