/**
 * The one error class for failures that people can meet. A bug throws a plain
 * `Error`. Callers branch on `code`; people read `message` (what was tried, on
 * what, what happened) and `hint` (what to do about it).
 */
export type ErrorCode =
  | "USAGE_INVALID"
  | "CONFIG_INVALID"
  | "CREDENTIALS_MISSING"
  | "DATABRICKS_UNAUTHENTICATED"
  | "DATABRICKS_FORBIDDEN"
  | "DATABRICKS_UNREACHABLE"
  | "DATABRICKS_FAILED"
  | "MLFLOW_UNAUTHENTICATED"
  | "MLFLOW_FORBIDDEN"
  | "MLFLOW_UNREACHABLE"
  | "MLFLOW_FAILED"
  | "MLFLOW_EXPERIMENT_UNKNOWN"
  | "MODEL_VERSION_UNKNOWN"
  | "ENDPOINT_UNKNOWN"
  | "ENDPOINT_NAME_TAKEN"
  | "DEPLOYMENT_FAILED"
  | "DEPLOYMENT_CONFLICT"
  | "DEPLOYMENT_TIMED_OUT"
  | "SMOKE_REQUEST_FAILED"
  | "QUOTA_EXCEEDED"
  | "ROLLBACK_IMPOSSIBLE"
  | "PORT_IN_USE"
  | "DATA_DIR_LOCKED"
  | "DATA_DIR_UNREADABLE"
  | "DATA_DIR_UNWRITABLE"
  | "FILE_UNWRITABLE"
  | "STORE_FULL"
  | "STORE_DAMAGED"
  | "BACKUP_INVALID"
  | "MONITOR_UNREACHABLE"
  | "HISTORY_FAILED"
  | "HISTORY_MISSING"
  | "QUERY_INVALID"
  | "TABLE_CONFLICT"
  | "TABLE_DROPPED"
  | "EXPORT_RUNNING"
  | "WAREHOUSE_MISSING"
  | "PACKAGE_MISSING"
  | "METRICS_HANDLE_INVALID"
  | "METRICS_FULL"
  | "TELEMETRY_INVALID"
  | "TELEMETRY_TOO_LARGE";

export class MonitorError extends Error {
  readonly code: ErrorCode;
  /** What to do about it, in whole sentences: it may stand behind others. */
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { hint: string; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = "MonitorError";
    this.code = code;
    this.hint = options.hint;
  }
}
