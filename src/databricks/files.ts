/**
 * The Files API: files and directories in volumes of Unity Catalog, by paths such as
 * `/Volumes/ml/agents/files/2026/a.ndjson`.
 *
 * Source: databricks-sdk-py 0.156.0, `FilesAPI`.
 */
import { type ApiPath, apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { DatabricksError } from "./databricks-error.ts";
import { dateOf, integerOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";
import type { HttpStream } from "./transport.ts";
import type { ByteSource } from "./upload.ts";

export type FileHead = {
  readonly sizeBytes: number | null;
  /** Unix milliseconds; whole seconds. */
  readonly modifiedMs: number | null;
};

export type DirectoryEntry = {
  readonly path: string;
  readonly name: string;
  readonly isDirectory: boolean;
  /** `null` for a directory. */
  readonly sizeBytes: number | null;
  /** Unix milliseconds. */
  readonly modifiedMs: number | null;
};

/** Databricks takes files up to 5 GiB in one call; this is the largest that is read back without being told otherwise. */
const DOWNLOAD_MAX_BYTES = 5 * 1024 ** 3;

/**
 * Makes the directories above it, too. Without `overwrite`, Databricks refuses a file
 * that is there: after a broken connection that may be what was just sent, so
 * compare its size before you take it for another one.
 */
export function uploadFile(
  client: DatabricksClient,
  path: string,
  bytes: ByteSource,
  { overwrite, ...limits }: CallLimits & { readonly overwrite?: boolean } = {},
): Promise<void> {
  return client.putBytes(filePath(path), bytes, {
    ...limits,
    ...(overwrite !== undefined && { query: { overwrite: String(overwrite) } }),
    purpose: `upload ${path}`,
    permission: writePermission(path),
  });
}

/** A part of it, where a range such as `bytes=0-99` is given. */
export function downloadFile(
  client: DatabricksClient,
  path: string,
  {
    maxBytes = DOWNLOAD_MAX_BYTES,
    range,
    ...limits
  }: CallLimits & { readonly maxBytes?: number; readonly range?: string } = {},
): Promise<HttpStream> {
  return client.getBytes(filePath(path), {
    ...limits,
    maxBytes,
    ...(range !== undefined && { headers: { range } }),
    purpose: `download ${path}`,
    permission: readPermission(path),
  });
}

/** `null` where there is no such file. */
export async function headFile(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<FileHead | null> {
  const headers = await headOf(client, filePath(path), { path, limits });
  return (
    headers && {
      sizeBytes: integerOf(headers.get("content-length")),
      modifiedMs: dateOf(headers.get("last-modified")),
    }
  );
}

export function deleteFile(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(filePath(path), {
    ...limits,
    purpose: `delete ${path}`,
    permission: writePermission(path),
  });
}

/** With the directories above it. One that is there is no error. */
export function createDirectory(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.put(directoryPath(path), {
    ...limits,
    purpose: `create directory ${path}`,
    permission: writePermission(path),
  });
}

export async function directoryExists(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<boolean> {
  return (await headOf(client, directoryPath(path), { path, limits })) !== null;
}

/** What is directly in it. */
export async function listDirectory(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<readonly DirectoryEntry[]> {
  const entries = await readPages("contents", (page) =>
    client.getJson(directoryPath(path), {
      ...limits,
      query: page,
      purpose: `list directory ${path}`,
      permission: readPermission(path),
    }),
  );
  return recordsOf(entries).map((entry) => ({
    path: textOf(entry.path) ?? "",
    name: textOf(entry.name) ?? "",
    isDirectory: entry.is_directory === true,
    sizeBytes: entry.is_directory === true ? null : integerOf(entry.file_size),
    modifiedMs: integerOf(entry.last_modified),
  }));
}

/** It has to be empty. */
export function deleteDirectory(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(directoryPath(path), {
    ...limits,
    purpose: `delete directory ${path}`,
    permission: writePermission(path),
  });
}

async function headOf(
  client: DatabricksClient,
  apiPath: ApiPath,
  { path, limits }: { readonly path: string; readonly limits: CallLimits },
): Promise<Headers | null> {
  try {
    return await client.head(apiPath, {
      ...limits,
      purpose: `look for ${path}`,
      permission: readPermission(path),
    });
  } catch (error) {
    if (error instanceof DatabricksError && error.call.status === 404) return null;
    throw error;
  }
}

function filePath(path: string): ApiPath {
  return apiPath`/api/2.0/fs/files/${namesOf(path)}`;
}

function directoryPath(path: string): ApiPath {
  return apiPath`/api/2.0/fs/directories/${namesOf(path)}`;
}

/** A slash at the end, as people write directories, names nothing. */
function namesOf(path: string): readonly string[] {
  return path.replace(/^\//, "").replace(/\/$/, "").split("/");
}

function volumeOf(path: string): string {
  const [, , ...names] = path.split("/");
  return names.slice(0, 3).join(".");
}

function readPermission(path: string): string {
  return `Give the identity READ VOLUME on volume ${volumeOf(path)}, and USE CATALOG and USE SCHEMA on what it is in.`;
}

function writePermission(path: string): string {
  return `Give the identity WRITE VOLUME on volume ${volumeOf(path)}, and USE CATALOG and USE SCHEMA on what it is in.`;
}
