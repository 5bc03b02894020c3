/**
 * Unity Catalog's privileges: who owns and who was granted what on a metastore,
 * catalog, schema, and what is in a schema. A privilege on a parent holds for all
 * in it; the owner of a parent may do everything in it.
 *
 * Source: Databricks, "Unity Catalog privileges and securable objects"; the words of
 * the refusals as reports of users quote them ("User does not have USE SCHEMA on
 * Schema 'a.b'").
 */

import type { State } from "../core/state.ts";
import { Refusal } from "../databricks-error.ts";
import { namesOf, type Principal } from "./principals.ts";

const parts = { metastore: 0, catalog: 1, schema: 2, table: 3, volume: 3, function: 3 } as const;

/** Registered models are functions here, as in Databricks' API. */
export type SecurableType = keyof typeof parts;

export type Securable = { readonly type: SecurableType; readonly fullName: string };

/** What may be granted on each type; what is not of the type itself holds for what is in it. */
const grantable = {
  metastore: ["CREATE_CATALOG"],
  function: ["EXECUTE", "MANAGE", "APPLY_TAG", "CREATE_MODEL_VERSION"],
  table: ["SELECT", "MODIFY", "MANAGE", "APPLY_TAG"],
  volume: ["READ_VOLUME", "WRITE_VOLUME", "MANAGE", "APPLY_TAG"],
  schema: [
    "USE_SCHEMA",
    "CREATE_TABLE",
    "CREATE_VOLUME",
    "CREATE_FUNCTION",
    "CREATE_MODEL",
    "CREATE_MODEL_VERSION",
    "CREATE_MATERIALIZED_VIEW",
    "EXECUTE",
    "SELECT",
    "MODIFY",
    "REFRESH",
    "READ_VOLUME",
    "WRITE_VOLUME",
    "MANAGE",
    "APPLY_TAG",
    "EXTERNAL_USE_SCHEMA",
  ],
  catalog: ["USE_CATALOG", "CREATE_SCHEMA", "BROWSE"],
} as const satisfies Record<SecurableType, readonly string[]>;

export type Privilege = (typeof grantable)[SecurableType][number] | "ALL_PRIVILEGES";

export type PrivilegeAssignment = {
  readonly principal: string;
  readonly privileges: readonly Privilege[];
};

export type GrantChange = {
  readonly principal: string;
  readonly add?: readonly string[] | undefined;
  readonly remove?: readonly string[] | undefined;
};

export type Grants = {
  /** Whether the principal may do this, with all that it needs on the parents. */
  allows(principal: Principal, privilege: Privilege, securable: Securable): boolean;
  /** @throws Refusal `PERMISSION_DENIED` that names what is missing. */
  require(principal: Principal, privilege: Privilege, securable: Securable): void;
  /** Owning it or a parent, or MANAGE on it. @throws Refusal `PERMISSION_DENIED`. */
  requireManage(principal: Principal, securable: Securable): void;
  /** Whether the principal sees it in a list: any privilege on it, or ownership. */
  sees(principal: Principal, securable: Securable): boolean;
  own(securable: Securable, owner: string): void;
  ownerOf(securable: Securable): string;
  /** With what is in it. */
  forget(securable: Securable): void;
  /** @throws Refusal when a privilege does not exist there, or is added and removed at once. */
  change(securable: Securable, changes: readonly GrantChange[]): void;
  /** Granted on it alone. */
  assignments(securable: Securable): readonly PrivilegeAssignment[];
  /** With those that come from parents, and where they come from. */
  effective(securable: Securable, principal?: string): readonly EffectiveAssignment[];
};

export type EffectiveAssignment = {
  readonly principal: string;
  readonly privileges: readonly { readonly privilege: Privilege; readonly from: Securable }[];
};

type Entry = { owner: string; grants: Record<string, Privilege[]> };

export const METASTORE: Securable = { type: "metastore", fullName: "local" };

export function createGrants({ state, admin }: { readonly state: State; readonly admin: string }) {
  const entries = state.collection<Entry>("securables");
  const entryOf = (securable: Securable): Entry =>
    entries.get(keyOf(securable)) ?? { owner: admin, grants: {} };

  const owns = (principal: Principal, securable: Securable) =>
    chainOf(securable).some((each) => namesOf(principal).includes(entryOf(each).owner));

  function holds(principal: Principal, privilege: Privilege, securable: Securable): boolean {
    return chainOf(securable).some((each) => {
      const { grants } = entryOf(each);
      return namesOf(principal).some((name) =>
        grants[name]?.some(
          (granted) =>
            granted === privilege ||
            (granted === "ALL_PRIVILEGES" && privilege !== "MANAGE" && each.type !== "metastore"),
        ),
      );
    });
  }

  /** What is missing first, from the top; `null` when nothing is. */
  function missing(principal: Principal, privilege: Privilege, securable: Securable) {
    if (owns(principal, securable) && ownsParent(principal, securable)) return null;
    for (const parent of chainOf(securable).slice(1).reverse()) {
      const use = useOf(parent);
      if (use && !holds(principal, use, parent) && !owns(principal, parent)) {
        return { privilege: use, securable: parent };
      }
    }
    if (owns(principal, securable) || holds(principal, privilege, securable)) return null;
    return { privilege, securable };
  }

  const ownsParent = (principal: Principal, securable: Securable) => {
    const [, parent] = chainOf(securable);
    return parent === undefined || owns(principal, parent);
  };

  const grants: Grants = {
    allows: (principal, privilege, securable) => missing(principal, privilege, securable) === null,
    require(principal, privilege, securable) {
      const lack = missing(principal, privilege, securable);
      if (lack) throw denied(lack.privilege, lack.securable);
    },
    requireManage(principal, securable) {
      if (owns(principal, securable) || holds(principal, "MANAGE", securable)) return;
      throw denied("MANAGE", securable);
    },
    sees(principal, securable) {
      if (owns(principal, securable)) return true;
      const isNamed = (names: Record<string, Privilege[]>) =>
        namesOf(principal).some((name) => (names[name]?.length ?? 0) > 0);
      return chainOf(securable).some(
        (each) => each.type !== "metastore" && isNamed(entryOf(each).grants),
      );
    },
    own(securable, owner) {
      entries.put(keyOf(securable), { ...entryOf(securable), owner });
    },
    ownerOf: (securable) => entryOf(securable).owner,
    forget(securable) {
      entries.delete(keyOf(securable));
      if (parts[securable.type] === 3) return;
      for (const type of Object.keys(parts)) {
        for (const [key] of entries.entries(`${type} ${securable.fullName}.`)) entries.delete(key);
      }
    },
    change(securable, changes) {
      const entry = entryOf(securable);
      for (const { principal, add = [], remove = [] } of changes) {
        const added = add.map((name) => privilegeOn(securable, name));
        const removed = remove.map((name) => privilegeOn(securable, name));
        const both = added.find((privilege) => removed.includes(privilege));
        if (both) {
          throw new Refusal(
            "INVALID_PARAMETER_VALUE",
            `Privilege ${both} is both added and removed for '${principal}'.`,
          );
        }
        const before = entry.grants[principal] ?? [];
        const after = [...before.filter((each) => !removed.includes(each)), ...added];
        entry.grants[principal] = [...new Set(after)];
        if (after.length === 0) delete entry.grants[principal];
      }
      entries.put(keyOf(securable), entry);
    },
    assignments: (securable) =>
      Object.entries(entryOf(securable).grants).map(([principal, privileges]) => ({
        principal,
        privileges,
      })),
    effective(securable, only) {
      const found = new Map<string, { privilege: Privilege; from: Securable }[]>();
      for (const from of chainOf(securable).reverse()) {
        for (const { principal, privileges } of grants.assignments(from)) {
          if (only !== undefined && only !== principal) continue;
          const known = found.get(principal) ?? [];
          found.set(principal, [...known, ...privileges.map((privilege) => ({ privilege, from }))]);
        }
      }
      return Array.from(found, ([principal, privileges]) => ({ principal, privileges }));
    },
  };
  return grants;
}

/** Itself first, the metastore last. */
function chainOf({ type, fullName }: Securable): Securable[] {
  if (type === "metastore") return [METASTORE];
  const [catalog = "", schema = ""] = fullName.split(".");
  const schemaOf = { type: "schema", fullName: `${catalog}.${schema}` } as const;
  const catalogOf = { type: "catalog", fullName: catalog } as const;
  if (type === "catalog") return [catalogOf, METASTORE];
  if (type === "schema") return [schemaOf, catalogOf, METASTORE];
  return [{ type, fullName }, schemaOf, catalogOf, METASTORE];
}

function useOf({ type }: Securable): Privilege | null {
  if (type === "catalog") return "USE_CATALOG";
  return type === "schema" ? "USE_SCHEMA" : null;
}

function privilegeOn({ type }: Securable, given: string): Privilege {
  const name = given.trim().toUpperCase().replaceAll(" ", "_");
  const inIt =
    type === "catalog" ? [...grantable.catalog, ...grantable.schema] : [...grantable[type]];
  const known = [...inIt, "ALL_PRIVILEGES" as const].find((each) => each === name);
  if (known) return known;
  throw new Refusal(
    "INVALID_PARAMETER_VALUE",
    `Privilege ${name} is not applicable to this entity [${type.toUpperCase()}].`,
  );
}

export function denied(privilege: Privilege, { type, fullName }: Securable): Refusal {
  const kind = type === "function" ? "Routine or Model" : type[0]?.toUpperCase() + type.slice(1);
  return new Refusal(
    "PERMISSION_DENIED",
    `User does not have ${privilege.replaceAll("_", " ")} on ${kind} '${fullName}'.`,
  );
}

const keyOf = ({ type, fullName }: Securable) => `${type} ${fullName}`;
