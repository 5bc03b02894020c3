/**
 * The folders of a workspace, and the notebooks and files in them.
 *
 * Source: databricks-sdk-py 0.156.0, `WorkspaceAPI`.
 */
import { MonitorError } from "../monitor-error.ts";
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { idOf, integerOf, type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";

export type WorkspaceObject = {
  readonly path: string;
  /** `NOTEBOOK`, `FILE`, `DIRECTORY`, `REPO`, `DASHBOARD` or `LIBRARY`. */
  readonly type: string | null;
  readonly id: string | null;
  /** `PYTHON`, `SQL`, `R` or `SCALA`, of a notebook. */
  readonly language: string | null;
  /** Unix milliseconds. */
  readonly modifiedMs: number | null;
};

/** Largest notebook or file. Source: Databricks' documentation of the Workspace API. */
const IMPORT_MAX_BYTES = 10 * 1024 * 1024;

/**
 * The folder has to exist. Without `overwrite`, Databricks refuses what is there.
 *
 * @throws MonitorError `USAGE_INVALID` for more than 10 MiB. Nothing was sent.
 */
export async function importWorkspaceObject(
  client: DatabricksClient,
  {
    path,
    content,
    ...format
  }: {
    readonly path: string;
    readonly content: string | Uint8Array;
    /** `SOURCE` and `JUPYTER` make notebooks, `RAW` a file, `AUTO` what the name says. */
    readonly format: "SOURCE" | "JUPYTER" | "RAW" | "AUTO" | "HTML" | "DBC" | "R_MARKDOWN";
    /** For `SOURCE`. */
    readonly language?: "PYTHON" | "SQL" | "R" | "SCALA";
    readonly overwrite?: boolean;
  },
  limits: CallLimits = {},
): Promise<void> {
  const bytes = typeof content === "string" ? Buffer.from(content) : Buffer.from(content);
  if (bytes.length > IMPORT_MAX_BYTES) {
    throw new MonitorError(
      "USAGE_INVALID",
      `cannot import ${path}: it has ${bytes.length} bytes, and Databricks takes ${IMPORT_MAX_BYTES} at most`,
      { hint: "Put large files into a volume." },
    );
  }
  await client.postJson(
    apiPath`/api/2.0/workspace/import`,
    { path, content: bytes.toString("base64"), ...format },
    {
      ...limits,
      purpose: `import ${path}`,
      permission: editPermission(path),
      isIdempotent: format.overwrite === true,
    },
  );
}

/** In `SOURCE` a notebook of one language is text with comments between its cells. */
export async function exportWorkspaceObject(
  client: DatabricksClient,
  {
    path,
    format,
  }: { readonly path: string; readonly format: "SOURCE" | "JUPYTER" | "HTML" | "DBC" | "AUTO" },
  limits: CallLimits = {},
): Promise<Uint8Array> {
  const answer = await client.getJson(apiPath`/api/2.0/workspace/export`, {
    ...limits,
    query: { path, format },
    purpose: `export ${path}`,
    permission: readPermission(path),
  });
  const content = recordOf(answer.json)?.content;
  // Protobuf's JSON leaves what is empty out.
  if (content !== undefined && typeof content !== "string") throw answer.unusable("has no content");
  return Buffer.from(content ?? "", "base64");
}

/** With the folders above it. One that is there is no error. */
export async function makeWorkspaceDirectories(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.0/workspace/mkdirs`,
    { path },
    {
      ...limits,
      purpose: `create folder ${path}`,
      permission: editPermission(path),
      isIdempotent: true,
    },
  );
}

/** What is directly in a folder. */
export async function listWorkspaceObjects(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<readonly WorkspaceObject[]> {
  const entries = await readPages("objects", (page) =>
    client.getJson(apiPath`/api/2.0/workspace/list`, {
      ...limits,
      query: { path, ...page },
      purpose: `list folder ${path}`,
      permission: readPermission(path),
    }),
  );
  return recordsOf(entries)
    .map(readObject)
    .filter((object) => object !== null);
}

export async function getWorkspaceObject(
  client: DatabricksClient,
  path: string,
  limits: CallLimits = {},
): Promise<WorkspaceObject> {
  const answer = await client.getJson(apiPath`/api/2.0/workspace/get-status`, {
    ...limits,
    query: { path },
    purpose: `look for ${path}`,
    permission: readPermission(path),
  });
  const record = recordOf(answer.json);
  const object = record && readObject(record);
  if (!object) throw answer.unusable("is not an object of the workspace");
  return object;
}

/** A folder that is not empty goes with `recursive` only. */
export async function deleteWorkspaceObject(
  client: DatabricksClient,
  path: string,
  { recursive, ...limits }: CallLimits & { readonly recursive?: boolean } = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.0/workspace/delete`,
    { path, ...(recursive !== undefined && { recursive }) },
    { ...limits, purpose: `delete ${path}`, permission: editPermission(path) },
  );
}

function readPermission(path: string): string {
  return `Give the identity CAN READ on ${path}.`;
}

function editPermission(path: string): string {
  return `Give the identity CAN EDIT on ${path}, or on the folder that it is in.`;
}

function readObject(object: JsonRecord): WorkspaceObject | null {
  const path = textOf(object.path);
  if (path === null) return null;
  return {
    path,
    type: textOf(object.object_type),
    id: idOf(object.object_id),
    language: textOf(object.language),
    modifiedMs: integerOf(object.modified_at),
  };
}
