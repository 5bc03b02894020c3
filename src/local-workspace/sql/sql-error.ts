/**
 * Why a statement was refused, in Databricks' words: an error class for programs
 * in brackets, a sentence, and the SQL state. What the local workspace can't do is
 * refused with `UNSUPPORTED_FEATURE`, by name.
 */

/** The codes of the Statement Execution API that this engine gives. */
export type SqlErrorCode = "BAD_REQUEST" | "PERMISSION_DENIED" | "INTERNAL_ERROR" | "ABORTED";

export class SqlError extends Error {
  readonly errorCode: SqlErrorCode;
  /** Databricks' error class, such as `TABLE_OR_VIEW_NOT_FOUND`. */
  readonly errorClass: string;
  readonly sqlState: string;

  constructor(
    errorClass: string,
    message: string,
    options: {
      readonly sqlState: string;
      readonly errorCode?: SqlErrorCode;
      readonly cause?: unknown;
    },
  ) {
    super(`[${errorClass}] ${message} SQLSTATE: ${options.sqlState}`, { cause: options.cause });
    this.name = "SqlError";
    this.errorCode = options.errorCode ?? "BAD_REQUEST";
    this.errorClass = errorClass;
    this.sqlState = options.sqlState;
  }
}

/** For what Databricks can and the local workspace can't. @param what a noun with its article. */
export function unsupported(what: string): SqlError {
  return new SqlError("UNSUPPORTED_FEATURE", `The local workspace does not have ${what}.`, {
    sqlState: "0A000",
  });
}

export function syntaxError(message: string): SqlError {
  return new SqlError("PARSE_SYNTAX_ERROR", message, { sqlState: "42601" });
}

export function notFound(kind: "table" | "schema" | "catalog" | "volume", name: string): SqlError {
  const [errorClass, sqlState] = {
    table: ["TABLE_OR_VIEW_NOT_FOUND", "42P01"] as const,
    schema: ["SCHEMA_NOT_FOUND", "42704"] as const,
    catalog: ["CATALOG_NOT_FOUND", "42704"] as const,
    volume: ["VOLUME_NOT_FOUND", "42704"] as const,
  }[kind];
  const noun = kind === "table" ? "table or view" : kind;
  return new SqlError(errorClass, `The ${noun} ${name} cannot be found.`, { sqlState });
}

export function alreadyExists(kind: "table" | "schema" | "catalog" | "volume", name: string) {
  const errorClass = {
    table: "TABLE_OR_VIEW_ALREADY_EXISTS",
    schema: "SCHEMA_ALREADY_EXISTS",
    catalog: "CATALOG_ALREADY_EXISTS",
    volume: "VOLUME_ALREADY_EXISTS",
  }[kind];
  return new SqlError(errorClass, `Cannot create ${kind} ${name}: it exists already.`, {
    sqlState: kind === "table" ? "42P07" : "42710",
  });
}

export function permissionDenied(message: string): SqlError {
  return new SqlError("INSUFFICIENT_PERMISSIONS", message, {
    sqlState: "42501",
    errorCode: "PERMISSION_DENIED",
  });
}
