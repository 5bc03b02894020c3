/** Exit codes, the same for every command. */
import type { ErrorCode, MonitorError } from "../monitor-error.ts";

export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, interrupted: 130 } as const;

const byCode: Readonly<Record<ErrorCode, number>> = {
  USAGE_INVALID: EXIT.usage,
  CONFIG_INVALID: EXIT.usage,
  CREDENTIALS_MISSING: EXIT.refused,
  DATABRICKS_UNAUTHENTICATED: EXIT.refused,
  DATABRICKS_FORBIDDEN: EXIT.refused,
  DATABRICKS_UNREACHABLE: EXIT.refused,
  DATABRICKS_FAILED: EXIT.failed,
  MLFLOW_UNAUTHENTICATED: EXIT.refused,
  MLFLOW_FORBIDDEN: EXIT.refused,
  MLFLOW_UNREACHABLE: EXIT.refused,
  MLFLOW_FAILED: EXIT.failed,
  MLFLOW_EXPERIMENT_UNKNOWN: EXIT.usage,
  MODEL_VERSION_UNKNOWN: EXIT.usage,
  ENDPOINT_UNKNOWN: EXIT.usage,
  ENDPOINT_NAME_TAKEN: EXIT.usage,
  DEPLOYMENT_FAILED: EXIT.failed,
  DEPLOYMENT_CONFLICT: EXIT.failed,
  DEPLOYMENT_TIMED_OUT: EXIT.failed,
  SMOKE_REQUEST_FAILED: EXIT.failed,
  QUOTA_EXCEEDED: EXIT.failed,
  ROLLBACK_IMPOSSIBLE: EXIT.failed,
  PORT_IN_USE: EXIT.failed,
  DATA_DIR_LOCKED: EXIT.failed,
  DATA_DIR_UNREADABLE: EXIT.failed,
  DATA_DIR_UNWRITABLE: EXIT.failed,
  FILE_UNWRITABLE: EXIT.failed,
  STORE_FULL: EXIT.failed,
  STORE_DAMAGED: EXIT.failed,
  BACKUP_INVALID: EXIT.failed,
  MONITOR_UNREACHABLE: EXIT.failed,
  HISTORY_FAILED: EXIT.failed,
  HISTORY_MISSING: EXIT.failed,
  QUERY_INVALID: EXIT.usage,
  TABLE_CONFLICT: EXIT.failed,
  TABLE_DROPPED: EXIT.failed,
  EXPORT_RUNNING: EXIT.failed,
  WAREHOUSE_MISSING: EXIT.refused,
  PACKAGE_MISSING: EXIT.failed,
  METRICS_HANDLE_INVALID: EXIT.failed,
  METRICS_FULL: EXIT.failed,
  TELEMETRY_INVALID: EXIT.failed,
  TELEMETRY_TOO_LARGE: EXIT.failed,
};

export function exitCodeOf(error: MonitorError): number {
  return byCode[error.code];
}
