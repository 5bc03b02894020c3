/**
 * The tree of the workspace: folders, notebooks, files, and whatever other APIs put into
 * it, such as dashboards. Contents are files named by the object's id, so that a path is
 * nothing but a name.
 */
import type { WorkspaceObject } from "../access/object-permissions.ts";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceContext } from "../core/context.ts";
import { newNumberId } from "../core/ids.ts";
import { Refusal } from "../databricks-error.ts";

export type ObjectInfo = {
  /** Without `/Workspace` before it. */
  readonly path: string;
  readonly object_id: number;
  readonly object_type: "DIRECTORY" | "NOTEBOOK" | "FILE" | "DASHBOARD" | "ALERT";
  readonly language?: string | undefined;
  /** How a notebook's content is written. */
  readonly format?: "SOURCE" | "JUPYTER" | undefined;
  readonly size?: number | undefined;
  readonly created_at: number;
  readonly modified_at: number;
  /** Of what other APIs keep: theirs. */
  readonly resource_id?: string | undefined;
};

const objectsOf = ({ state }: WorkspaceContext) =>
  state.collection<ObjectInfo>("workspace-objects");

/** The path that is meant: without `/Workspace`, and without slashes at the end. */
export function normalPath(given: string): string {
  const path = given.replace(/^\/Workspace(?=\/|$)/, "").replace(/\/+$/, "");
  if (path === "") return "/";
  const segments = path.split("/").slice(1);
  if (!path.startsWith("/") || segments.some((each) => ["", ".", ".."].includes(each))) {
    throw new Refusal("INVALID_PARAMETER_VALUE", `Path (${given}) is not a valid absolute path.`);
  }
  return path;
}

export const parentPath = (path: string): string => path.replace(/\/[^/]*$/, "") || "/";

/** What every workspace has: folders for everybody, and one for each principal. */
export function seedFolders(context: WorkspaceContext): void {
  const { principals, permissions } = context;
  makeFolder(context, "/", "");
  makeFolder(context, "/Users", "");
  const shared = makeFolder(context, "/Shared", "");
  permissions.merge(permissionObject(context, shared), [
    { principal: "users", level: "CAN_MANAGE" },
  ]);
  for (const { name } of principals.all()) makeFolder(context, `/Users/${name}`, name);
}

function makeFolder(context: WorkspaceContext, path: string, owner: string): ObjectInfo {
  return (
    objectsOf(context).get(path) ?? putObject(context, { path, object_type: "DIRECTORY" }, owner)
  );
}

export function findObject(context: WorkspaceContext, path: string): ObjectInfo | undefined {
  return objectsOf(context).get(path);
}

export function findObjectById(context: WorkspaceContext, id: number): ObjectInfo | undefined {
  return objectsOf(context)
    .list()
    .find(({ object_id }) => object_id === id);
}

/** @throws Refusal `RESOURCE_DOES_NOT_EXIST`. */
export function requireObject(context: WorkspaceContext, path: string): ObjectInfo {
  const found = findObject(context, path);
  if (found) return found;
  throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Path (${path}) doesn't exist.`);
}

/** @throws Refusal unless there is a folder, in which the principal may make things. */
export function requireParent(context: WorkspaceContext, path: string, principal: Principal): void {
  const parent = findObject(context, parentPath(path));
  if (parent?.object_type !== "DIRECTORY") {
    throw new Refusal(
      "RESOURCE_DOES_NOT_EXIST",
      `The parent folder (${parentPath(path)}) does not exist.`,
    );
  }
  requireLevel(context, parent, principal, "CAN_EDIT");
}

export function requireLevel(
  context: WorkspaceContext,
  object: ObjectInfo,
  principal: Principal,
  level: "CAN_READ" | "CAN_RUN" | "CAN_EDIT" | "CAN_MANAGE",
): void {
  // The roots of the tree can be seen by everybody, whatever is in them.
  if (level === "CAN_READ" && ["/", "/Users"].includes(object.path)) return;
  context.permissions.require(principal, level, permissionObject(context, object), object.path);
}

/** As permissions know it: with the folders that it inherits from. */
export function permissionObject(context: WorkspaceContext, object: ObjectInfo): WorkspaceObject {
  const parents: WorkspaceObject[] = [];
  for (let path = object.path; path !== "/"; ) {
    path = parentPath(path);
    const parent = path === "/" ? undefined : findObject(context, path);
    if (parent) parents.push({ type: "directories", id: String(parent.object_id) });
  }
  return { ...ownObject(object), parents };
}

function ownObject({ object_type, object_id, resource_id }: ObjectInfo): WorkspaceObject {
  const id = String(object_id);
  switch (object_type) {
    case "DIRECTORY":
      return { type: "directories", id };
    case "NOTEBOOK":
      return { type: "notebooks", id };
    case "FILE":
      return { type: "files", id };
    case "DASHBOARD":
      return { type: "dashboards", id: resource_id ?? id };
    case "ALERT":
      return { type: "alertsv2", id: resource_id ?? id };
  }
}

type NewObject = Pick<ObjectInfo, "path" | "object_type"> &
  Partial<Pick<ObjectInfo, "language" | "format" | "size" | "resource_id">>;

/** Made, or changed where it is there. Who may is for the caller to check. */
export function putObject(context: WorkspaceContext, given: NewObject, owner: string): ObjectInfo {
  const nowMs = Math.floor(context.clock.now());
  const before = findObject(context, given.path);
  const object: ObjectInfo = {
    created_at: nowMs,
    ...given,
    ...(before ? { created_at: before.created_at } : {}),
    object_id: before?.object_id ?? newNumberId(),
    modified_at: nowMs,
  };
  context.state.transaction(() => {
    objectsOf(context).put(given.path, object);
    if (!before && owner !== "") context.permissions.own(ownObject(object), owner);
  });
  return object;
}

/** With the folders above that are missing. @throws Refusal when one of them is no folder. */
export function makeFolders(context: WorkspaceContext, path: string, principal: Principal): void {
  const found = findObject(context, path);
  if (found?.object_type === "DIRECTORY") return;
  if (found) {
    throw new Refusal(
      "RESOURCE_ALREADY_EXISTS",
      `Cannot create directory, since ${path} is a ${found.object_type}.`,
      { status: 400 },
    );
  }
  makeFolders(context, parentPath(path), principal);
  requireParent(context, path, principal);
  putObject(context, { path, object_type: "DIRECTORY" }, principal.name);
}

/** What stands in the folder itself. */
export function childrenOf(context: WorkspaceContext, path: string): readonly ObjectInfo[] {
  const prefix = path === "/" ? "/" : `${path}/`;
  return objectsOf(context)
    .list(prefix)
    .filter((each) => each.path !== "/" && parentPath(each.path) === path);
}

/** With everything below. */
export function removeObject(context: WorkspaceContext, object: ObjectInfo): void {
  const below =
    object.object_type === "DIRECTORY" ? objectsOf(context).list(`${object.path}/`) : [];
  context.state.transaction(() => {
    for (const each of [...below, object]) {
      objectsOf(context).delete(each.path);
      context.permissions.forget(ownObject(each));
    }
  });
}
