/**
 * Volumes of Unity Catalog; the files in them stand in `files.ts`.
 *
 * Source: databricks-sdk-py 0.156.0, `VolumesAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";
import type { JsonAnswer } from "./read-answer.ts";

export type Volume = {
  /** With catalog and schema, such as `ml.agents.files`. */
  readonly fullName: string;
  /** Another one for a volume that is made anew under the same name. */
  readonly id: string | null;
  /** `MANAGED` or `EXTERNAL`. */
  readonly volumeType: string | null;
  readonly comment: string | null;
  readonly owner: string | null;
  readonly storageLocation: string | null;
};

/** Rejects with `error.call.errorCode` `VOLUME_ALREADY_EXISTS` where there is one of this name. */
export async function createVolume(
  client: DatabricksClient,
  volume: {
    readonly catalog_name: string;
    readonly schema_name: string;
    readonly name: string;
    readonly volume_type: "MANAGED" | "EXTERNAL";
    /** For `EXTERNAL` only. */
    readonly storage_location?: string;
    readonly comment?: string;
  },
  limits: CallLimits = {},
): Promise<Volume> {
  const schema = `${volume.catalog_name}.${volume.schema_name}`;
  const answer = await client.postJson(apiPath`/api/2.1/unity-catalog/volumes`, volume, {
    ...limits,
    purpose: `create volume "${schema}.${volume.name}"`,
    permission: `Give the identity USE SCHEMA and CREATE VOLUME on schema "${schema}", and USE CATALOG on what it is in.`,
  });
  return readAnsweredVolume(answer);
}

/** @param fullName with catalog and schema, such as `ml.agents.files`. */
export async function getVolume(
  client: DatabricksClient,
  fullName: string,
  limits: CallLimits = {},
): Promise<Volume> {
  const answer = await client.getJson(apiPath`/api/2.1/unity-catalog/volumes/${fullName}`, {
    ...limits,
    purpose: `read volume "${fullName}"`,
    permission: `Give the identity READ VOLUME on volume "${fullName}", and USE CATALOG and USE SCHEMA on what it is in.`,
  });
  return readAnsweredVolume(answer);
}

export async function listVolumes(
  client: DatabricksClient,
  { catalogName, schemaName }: { readonly catalogName: string; readonly schemaName: string },
  limits: CallLimits = {},
): Promise<readonly Volume[]> {
  const entries = await readPages("volumes", (page) =>
    client.getJson(apiPath`/api/2.1/unity-catalog/volumes`, {
      ...limits,
      query: { catalog_name: catalogName, schema_name: schemaName, ...page },
      purpose: `list the volumes of schema "${catalogName}.${schemaName}"`,
      permission: `Give the identity USE SCHEMA on schema "${catalogName}.${schemaName}", and USE CATALOG on what it is in.`,
    }),
  );
  return recordsOf(entries)
    .map(readVolume)
    .filter((volume) => volume !== null);
}

/** The files of a managed volume go with it. */
export function deleteVolume(
  client: DatabricksClient,
  fullName: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(apiPath`/api/2.1/unity-catalog/volumes/${fullName}`, {
    ...limits,
    purpose: `delete volume "${fullName}"`,
    permission: `Give the identity MANAGE on volume "${fullName}".`,
  });
}

function readAnsweredVolume(answer: JsonAnswer): Volume {
  const record = recordOf(answer.json);
  const volume = record && readVolume(record);
  if (!volume) throw answer.unusable("is not a volume");
  return volume;
}

function readVolume(volume: JsonRecord): Volume | null {
  const fullName = textOf(volume.full_name);
  if (fullName === null) return null;
  return {
    fullName,
    id: textOf(volume.volume_id),
    volumeType: textOf(volume.volume_type),
    comment: textOf(volume.comment),
    owner: textOf(volume.owner),
    storageLocation: textOf(volume.storage_location),
  };
}
