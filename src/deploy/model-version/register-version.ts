/**
 * Registers a version of a model, in three steps that may each be done again: the
 * version, its files, and that it is whole. A version that somebody was killed over is
 * found by its content and finished.
 */

import type { DatabricksClient } from "../../databricks/client.ts";
import { isAlreadyThere } from "../../databricks/databricks-error.ts";
import {
  createModelVersion,
  createRegisteredModel,
  finalizeModelVersion,
  findModelFileRoute,
  getRegistryVersion,
  type RegistryVersion,
  uploadModelFile,
} from "../../databricks/mlflow-model-registry.ts";
import { createSchema, getSchema } from "../../databricks/schemas.ts";
import { MonitorError } from "../../monitor-error.ts";
import { mayHaveHappened, orNull, unlessThere } from "../databricks-says.ts";
import type { ModelDirectory } from "../model-directory/model-directory.ts";
import { type DeployContext, pause, pauseBetweenPolls } from "../progress.ts";
import { CONTENT_HASH_TAG, findVersionByContent, sourceOf } from "./find-version.ts";

/** A call without an answer is asked about and made again, so often. */
const ATTEMPTS_MAX = 3;
/** How far the upload is, is told so often: a line for each of many small files says nothing. */
const TOLD_EVERY_MS = 1_000;
/** Databricks copies the files as it finalizes; small models take seconds. */
const FINALIZE_MAX_MS = 600_000;

export type NewVersion = {
  readonly modelName: string;
  readonly contentHash: string;
  readonly description: string;
};

type VersionName = { readonly modelName: string; readonly version: number };

/** The version that waits for its files. One of the same content, which was made before, is it, too. */
export async function ensureVersion(
  context: DeployContext,
  { modelName, contentHash, description }: NewVersion,
  { isModelThere }: { readonly isModelThere: boolean },
): Promise<RegistryVersion> {
  const { client } = context;
  if (!isModelThere) {
    const [catalog = "", schema = ""] = modelName.split(".");
    if (!(await orNull(getSchema(client, `${catalog}.${schema}`)))) {
      await unlessThere(createSchema(client, { name: schema, catalog_name: catalog }));
    }
    try {
      await createRegisteredModel(client, { name: modelName, description });
    } catch (error) {
      // Somebody was quicker, or an answer was lost; if not, the version will say so.
      if (!isAlreadyThere(error) && !mayHaveHappened(error)) throw error;
    }
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await createModelVersion(client, {
        modelName,
        source: sourceOf(contentHash),
        description,
        tags: [{ key: CONTENT_HASH_TAG, value: contentHash }],
      });
    } catch (error) {
      if (!mayHaveHappened(error)) throw error;
      const { version } = await findVersionByContent(client, { modelName, contentHash });
      if (version) return version;
      if (attempt === ATTEMPTS_MAX) throw error;
      await pause(context.pollMs, context);
    }
  }
}

/** Files that are there already are replaced by the same ones. */
export async function uploadFiles(
  { client, clock, onProgress }: DeployContext,
  version: VersionName,
  { files }: ModelDirectory,
): Promise<void> {
  const route = await findModelFileRoute(client, version);
  let uploaded = 0;
  let toldMs = clock.now();
  for (const [path, bytes] of files) {
    try {
      await uploadModelFile(client, version, { path, bytes, route });
    } catch (error) {
      // Another deployment of the same content may have finished it.
      if (await isReady(client, version)) return;
      throw error;
    }
    uploaded += 1;
    if (Math.abs(clock.now() - toldMs) < TOLD_EVERY_MS) continue;
    toldMs = clock.now();
    const message = `${uploaded} of ${files.size} files`;
    onProgress({ step: "upload", state: "waiting", message });
  }
}

async function isReady(client: DatabricksClient, name: VersionName): Promise<boolean> {
  const version = await getRegistryVersion(client, name).catch(() => null);
  return version?.status === "READY";
}

/** @throws MonitorError `DEPLOYMENT_FAILED` when Databricks refuses what was uploaded. */
export async function finalizeVersion(context: DeployContext, name: VersionName): Promise<void> {
  const { client, clock } = context;
  const startMs = clock.now();
  let version: RegistryVersion;
  try {
    version = await finalizeModelVersion(client, name);
  } catch (error) {
    // It can't be done twice: an answer was lost, or somebody else was quicker.
    if (await isReady(client, name)) return;
    throw error;
  }
  for (let asked = 0; version.status !== "READY"; asked++) {
    if (version.status === "FAILED_REGISTRATION") {
      throw new MonitorError(
        "DEPLOYMENT_FAILED",
        `version ${name.version} of model "${name.modelName}" could not be registered: ${version.message ?? "Databricks does not say why"}`,
        { hint: "Run the same command again: it registers a new version." },
      );
    }
    if (clock.now() - startMs > FINALIZE_MAX_MS) {
      throw new MonitorError(
        "DEPLOYMENT_TIMED_OUT",
        `version ${name.version} of model "${name.modelName}" is still ${version.status ?? "in no known state"} after ${FINALIZE_MAX_MS / 60_000} minutes`,
        { hint: "Run the same command again: it goes on where this one stopped." },
      );
    }
    await pauseBetweenPolls(asked, context);
    version = await getRegistryVersion(client, name);
  }
}
