/**
 * Registered models, their versions, aliases and tags: what both ways to reach them –
 * Unity Catalog's API and MLflow's – read and write. A version begins as pending, its
 * files are uploaded, and it is ready once it is finalized; after that its files
 * never change.
 */
import type { Securable } from "../access/grants.ts";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceContext } from "../core/context.ts";
import { newId } from "../core/ids.ts";
import { Refusal } from "../databricks-error.ts";
import { findSchema, schemaSecurable } from "./catalogs.ts";
import { nameOf, threeLevelName } from "./names.ts";
import { created, type Stamps, updated } from "./stamps.ts";

export type Tags = Readonly<Record<string, string>>;

export type ModelInfo = Stamps & {
  readonly name: string;
  readonly catalog_name: string;
  readonly schema_name: string;
  readonly full_name: string;
  readonly id: string;
  readonly comment: string;
  readonly aliases: Readonly<Record<string, number>>;
  readonly tags: Tags;
  /** The next one's number; those of deleted versions are not used again. */
  readonly next_version: number;
};

export type VersionStatus = "PENDING_REGISTRATION" | "FAILED_REGISTRATION" | "READY";

export type VersionInfo = Stamps & {
  readonly catalog_name: string;
  readonly schema_name: string;
  readonly model_name: string;
  readonly full_name: string;
  readonly version: number;
  readonly id: string;
  readonly status: VersionStatus;
  readonly comment: string;
  readonly source: string;
  readonly run_id: string;
  readonly model_id: string;
  readonly tags: Tags;
  /** Of a version without files: the example whose recordings answer. */
  readonly recorded_agent?: string;
};

const modelsOf = ({ state }: WorkspaceContext) => state.collection<ModelInfo>("registered-models");
const versionsOf = ({ state }: WorkspaceContext) => state.collection<VersionInfo>("model-versions");

export const modelSecurable = (fullName: string): Securable => ({ type: "function", fullName });

export const versionPath = (fullName: string, version: number) =>
  `${fullName.replaceAll(".", "/")}/${version}`;

const versionKey = (fullName: string, version: number) => `${fullName}/${version}`;

export const listModels = (context: WorkspaceContext, prefix = ""): readonly ModelInfo[] =>
  modelsOf(context).list(prefix);

/** The newest first. */
export const listVersions = (context: WorkspaceContext, fullName: string): readonly VersionInfo[] =>
  versionsOf(context).list(`${fullName}/`).reverse();

/** @throws Refusal `RESOURCE_DOES_NOT_EXIST`, or that of its schema or catalog. */
export function findModel(context: WorkspaceContext, text: string): ModelInfo {
  const { catalog, schema, fullName } = threeLevelName(text);
  const model = modelsOf(context).get(fullName);
  if (model) return model;
  findSchema(context, `${catalog}.${schema}`);
  throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Routine or Model '${fullName}' does not exist.`);
}

/** @throws Refusal `RESOURCE_DOES_NOT_EXIST`, or `INVALID_PARAMETER_VALUE` for what is no number. */
export function findVersion(context: WorkspaceContext, text: string, version: string): VersionInfo {
  const { full_name: fullName } = findModel(context, text);
  if (!/^[1-9]\d{0,8}$/.test(version)) {
    throw new Refusal("INVALID_PARAMETER_VALUE", `'${version}' is not a model version.`);
  }
  const found = versionsOf(context).get(versionKey(fullName, Number(version)));
  if (found) return found;
  throw new Refusal(
    "RESOURCE_DOES_NOT_EXIST",
    `Model version '${version}' of model '${fullName}' does not exist.`,
  );
}

/** @throws Refusal `RESOURCE_DOES_NOT_EXIST`. */
export function findAlias(context: WorkspaceContext, text: string, alias: string): VersionInfo {
  const model = findModel(context, text);
  const version = model.aliases[alias.toLowerCase()];
  if (version !== undefined) return findVersion(context, text, String(version));
  throw new Refusal(
    "RESOURCE_DOES_NOT_EXIST",
    `Alias '${alias}' of model '${model.full_name}' does not exist.`,
  );
}

export type NewModel = {
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
  readonly comment?: string | undefined;
  readonly tags?: Tags;
};

/** @throws Refusal `RESOURCE_ALREADY_EXISTS`, or `PERMISSION_DENIED` without CREATE_MODEL. */
export function createModel(
  context: WorkspaceContext,
  { catalog, schema: schemaName, name: given, comment = "", tags = {} }: NewModel,
  principal: Principal,
): ModelInfo {
  const schema = findSchema(context, `${catalog}.${schemaName}`);
  context.grants.require(principal, "CREATE_MODEL", schemaSecurable(schema.full_name));
  const name = nameOf(given);
  const fullName = `${schema.full_name}.${name}`;
  if (modelsOf(context).get(fullName)) {
    throw new Refusal("RESOURCE_ALREADY_EXISTS", `Routine or Model '${fullName}' already exists.`);
  }
  const model: ModelInfo = {
    name,
    catalog_name: schema.catalog_name,
    schema_name: schema.name,
    full_name: fullName,
    id: newId(),
    comment,
    aliases: {},
    tags,
    next_version: 1,
    ...created(principal, context.clock),
  };
  context.state.transaction(() => {
    modelsOf(context).put(fullName, model);
    context.grants.own(modelSecurable(fullName), principal.name);
  });
  return model;
}

export type NewVersion = {
  readonly source: string;
  readonly runId?: string | undefined;
  readonly modelId?: string | undefined;
  readonly comment?: string | undefined;
  readonly tags?: Tags;
  /** Makes a version without files, which is ready at once: the example answers from recordings. */
  readonly recordedAgent?: string;
};

/** @throws Refusal `PERMISSION_DENIED` unless the caller owns the model or has CREATE_MODEL_VERSION. */
export function createVersion(
  context: WorkspaceContext,
  model: ModelInfo,
  { source, runId = "", modelId = "", comment = "", tags = {}, recordedAgent }: NewVersion,
  principal: Principal,
): VersionInfo {
  const { full_name: fullName, next_version: version } = model;
  context.grants.require(principal, "CREATE_MODEL_VERSION", modelSecurable(fullName));
  const info: VersionInfo = {
    catalog_name: model.catalog_name,
    schema_name: model.schema_name,
    model_name: model.name,
    full_name: fullName,
    version,
    id: newId(),
    status: recordedAgent === undefined ? "PENDING_REGISTRATION" : "READY",
    ...(recordedAgent === undefined ? {} : { recorded_agent: recordedAgent }),
    comment,
    source,
    run_id: runId,
    model_id: modelId,
    tags,
    ...created(principal, context.clock),
  };
  context.state.transaction(() => {
    versionsOf(context).put(versionKey(fullName, version), info);
    modelsOf(context).put(fullName, { ...model, next_version: version + 1 });
  });
  return info;
}

/** @throws Refusal `INVALID_STATE` when it was finalized before, or nothing was uploaded. */
export async function finalizeVersion(
  context: WorkspaceContext,
  version: VersionInfo,
  principal: Principal,
): Promise<VersionInfo> {
  const { full_name: fullName, version: number } = version;
  requireUploader(context, version, principal);
  if (version.status !== "PENDING_REGISTRATION") {
    throw new Refusal(
      "INVALID_STATE",
      `Model version '${number}' of model '${fullName}' is ${version.status}, not PENDING_REGISTRATION.`,
    );
  }
  const files = await context.models.list(versionPath(fullName, number));
  if (!files || files.length === 0) {
    throw new Refusal(
      "INVALID_STATE",
      `No file of model version '${number}' of model '${fullName}' was uploaded.`,
    );
  }
  return changeVersion(context, version, { status: "READY" }, principal);
}

/** Who made a version uploads its files, and who may make versions of its model. */
export function requireUploader(
  { grants }: WorkspaceContext,
  { full_name: fullName, created_by: maker }: VersionInfo,
  principal: Principal,
): void {
  if (maker === principal.name) {
    grants.require(principal, "USE_SCHEMA", schemaSecurable(fullName.replace(/\.[^.]*$/, "")));
  } else {
    grants.require(principal, "CREATE_MODEL_VERSION", modelSecurable(fullName));
  }
}

export function changeModel(
  context: WorkspaceContext,
  model: ModelInfo,
  change: Partial<Pick<ModelInfo, "comment" | "tags" | "aliases">>,
  principal: Principal,
): ModelInfo {
  const { next_version } = findModel(context, model.full_name);
  const changed = { ...model, ...change, next_version, ...updated(principal, context.clock) };
  modelsOf(context).put(model.full_name, changed);
  return changed;
}

export function changeVersion(
  context: WorkspaceContext,
  version: VersionInfo,
  change: Partial<Pick<VersionInfo, "comment" | "tags" | "status">>,
  principal: Principal,
): VersionInfo {
  const changed = { ...version, ...change, ...updated(principal, context.clock) };
  versionsOf(context).put(versionKey(version.full_name, version.version), changed);
  return changed;
}

/** What an alias may be called; one that looks like a version would be taken for one. */
const ALIAS = /^(?!v?\d+$)[\w-]{1,255}$/i;

/** @throws Refusal when there is no such version, or the alias looks like one. */
export function setAlias(
  context: WorkspaceContext,
  model: ModelInfo,
  { alias, version }: { readonly alias: string; readonly version: string },
  principal: Principal,
): ModelInfo {
  context.grants.requireManage(principal, modelSecurable(model.full_name));
  const name = alias.toLowerCase();
  if (!ALIAS.test(name) || name === "latest") {
    throw new Refusal("INVALID_PARAMETER_VALUE", `'${alias}' is not a valid alias name.`);
  }
  const { version: number } = findVersion(context, model.full_name, version);
  return changeModel(context, model, { aliases: { ...model.aliases, [name]: number } }, principal);
}

/** @throws Refusal when there is no such alias. */
export function deleteAlias(
  context: WorkspaceContext,
  model: ModelInfo,
  alias: string,
  principal: Principal,
): void {
  context.grants.requireManage(principal, modelSecurable(model.full_name));
  findAlias(context, model.full_name, alias);
  const { [alias.toLowerCase()]: _, ...aliases } = model.aliases;
  changeModel(context, model, { aliases }, principal);
}

export async function deleteVersion(
  context: WorkspaceContext,
  { full_name: fullName, version }: VersionInfo,
  principal: Principal,
): Promise<void> {
  context.grants.requireManage(principal, modelSecurable(fullName));
  const model = findModel(context, fullName);
  const aliases = Object.entries(model.aliases).filter(([, number]) => number !== version);
  context.state.transaction(() => {
    versionsOf(context).delete(versionKey(fullName, version));
    changeModel(context, model, { aliases: Object.fromEntries(aliases) }, principal);
  });
  await context.models.removeAll(versionPath(fullName, version));
}

/** With all its versions and their files. */
export async function deleteModel(
  context: WorkspaceContext,
  { full_name: fullName }: ModelInfo,
  principal: Principal,
): Promise<void> {
  context.grants.requireManage(principal, modelSecurable(fullName));
  context.state.transaction(() => {
    for (const { version } of listVersions(context, fullName)) {
      versionsOf(context).delete(versionKey(fullName, version));
    }
    modelsOf(context).delete(fullName);
    context.grants.forget(modelSecurable(fullName));
  });
  await context.models.removeAll(fullName.replaceAll(".", "/"));
}
