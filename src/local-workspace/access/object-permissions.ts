/**
 * Permissions of workspace objects – endpoints, warehouses, dashboards, notebooks
 * – as levels, each of which contains those before it. Who made an object may
 * manage it, and so may every admin.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/iam.py`; Databricks,
 * "Access control lists". The words of the refusals are assumed.
 */

import type { State } from "../core/state.ts";
import { Refusal } from "../databricks-error.ts";
import { namesOf, type Principal } from "./principals.ts";

const levels = {
  alertsv2: ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
  apps: ["CAN_USE", "CAN_MANAGE"],
  dashboards: ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
  directories: ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
  experiments: ["CAN_READ", "CAN_EDIT", "CAN_MANAGE"],
  files: ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
  jobs: ["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"],
  notebooks: ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
  "notification-destinations": ["CAN_USE", "CAN_EDIT", "CAN_MANAGE"],
  "serving-endpoints": ["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"],
  "vector-search-endpoints": ["CAN_USE", "CAN_MANAGE"],
  warehouses: ["CAN_VIEW", "CAN_MONITOR", "CAN_USE", "CAN_MANAGE", "IS_OWNER"],
} as const;

export type ObjectType = keyof typeof levels;
export type PermissionLevel = (typeof levels)[ObjectType][number];

export type WorkspaceObject = {
  readonly type: ObjectType;
  /** Such as an endpoint's id, which is not its name. */
  readonly id: string;
  /** Where permissions come down from; the nearest first. */
  readonly parents?: readonly WorkspaceObject[];
};

export type AccessEntry = { readonly principal: string; readonly level: PermissionLevel };

export type ObjectPermissions = {
  allows(principal: Principal, level: PermissionLevel, object: WorkspaceObject): boolean;
  /** @param shownAs how the message names it, such as `serving endpoint 'qa'`. */
  require(
    principal: Principal,
    level: PermissionLevel,
    object: WorkspaceObject,
    shownAs: string,
  ): void;
  /** The greatest that the principal has; `null` when it has none. */
  levelOf(principal: Principal, object: WorkspaceObject): PermissionLevel | null;
  own(object: WorkspaceObject, owner: string): void;
  /** Whether it was made, and not forgotten since. */
  isKnown(object: WorkspaceObject): boolean;
  forget(object: WorkspaceObject): void;
  /** Given on it alone. */
  entries(object: WorkspaceObject): readonly AccessEntry[];
  /** In place of those before; the owner stays one. */
  replace(object: WorkspaceObject, entries: readonly AccessEntry[]): void;
  /** Beside those before; of one principal the new one counts. */
  merge(object: WorkspaceObject, entries: readonly AccessEntry[]): void;
};

type Entry = { owner: string; levels: Record<string, PermissionLevel> };

export function isObjectType(name: string): name is ObjectType {
  return Object.hasOwn(levels, name);
}

export function levelsOf(type: ObjectType): readonly PermissionLevel[] {
  return levels[type];
}

export function createObjectPermissions(state: State): ObjectPermissions {
  const objects = state.collection<Entry>("object-permissions");
  const entryOf = (object: WorkspaceObject): Entry =>
    objects.get(keyOf(object)) ?? { owner: "", levels: {} };

  function levelOf(principal: Principal, object: WorkspaceObject): PermissionLevel | null {
    const known: readonly PermissionLevel[] = levels[object.type];
    if (principal.isAdmin) return "CAN_MANAGE";
    const names = namesOf(principal);
    const { owner, levels: given } = entryOf(object);
    const own = names.includes(owner) ? [ownerLevel(object.type)] : [];
    const direct = names.map((name) => given[name]).filter((level) => level !== undefined);
    const inherited = (object.parents ?? []).map((parent) => levelOf(principal, parent));
    const ranks = [...own, ...direct, ...inherited].map((level) =>
      level === null ? -1 : known.indexOf(level),
    );
    return known[Math.max(-1, ...ranks)] ?? null;
  }

  function allows(principal: Principal, level: PermissionLevel, object: WorkspaceObject): boolean {
    if (principal.isAdmin) return true;
    const known: readonly PermissionLevel[] = levels[object.type];
    const has = levelOf(principal, object);
    return has !== null && known.indexOf(has) >= known.indexOf(level);
  }

  return {
    allows,
    require(principal, level, object, shownAs) {
      if (allows(principal, level, object)) return;
      throw new Refusal(
        "PERMISSION_DENIED",
        `${principal.name} does not have ${level} permission on ${shownAs}.`,
      );
    },
    levelOf,
    own(object, owner) {
      objects.put(keyOf(object), { ...entryOf(object), owner });
    },
    isKnown: (object) => objects.get(keyOf(object)) !== undefined,
    forget: (object) => void objects.delete(keyOf(object)),
    entries(object) {
      const { owner, levels: given } = entryOf(object);
      const others = Object.entries(given)
        .filter(([principal]) => principal !== owner)
        .map(([principal, level]) => ({ principal, level }));
      return owner === ""
        ? others
        : [{ principal: owner, level: ownerLevel(object.type) }, ...others];
    },
    replace(object, entries) {
      objects.put(keyOf(object), { ...entryOf(object), levels: checked(object.type, entries) });
    },
    merge(object, entries) {
      const before = entryOf(object);
      const given = { ...before.levels, ...checked(object.type, entries) };
      objects.put(keyOf(object), { ...before, levels: given });
    },
  };
}

function checked(
  type: ObjectType,
  entries: readonly AccessEntry[],
): Record<string, PermissionLevel> {
  const known: readonly PermissionLevel[] = levels[type];
  const wrong = entries.find(({ level }) => !known.includes(level));
  if (wrong) {
    throw new Refusal(
      "INVALID_PARAMETER_VALUE",
      `${wrong.level} is not a permission level of ${type}; these are: ${known.join(", ")}.`,
    );
  }
  return Object.fromEntries(entries.map(({ principal, level }) => [principal, level]));
}

function ownerLevel(type: ObjectType): PermissionLevel {
  return type === "jobs" || type === "warehouses" ? "IS_OWNER" : "CAN_MANAGE";
}

const keyOf = ({ type, id }: WorkspaceObject) => `${type}/${id}`;
