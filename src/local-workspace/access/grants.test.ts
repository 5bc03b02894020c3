/** Who may do what in Unity Catalog, and in which words it is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openState } from "../core/state.ts";
import { createGrants, type Privilege, type Securable, type SecurableType } from "./grants.ts";

const admin = { name: "admin", isAdmin: true };
const ann = { name: "ann", isAdmin: false };

/** `SELECT table ml.m.t`, given on each line. */
type Given = readonly string[];

function parse(text: string): { privilege: Privilege; securable: Securable } {
  const [privilege, type, fullName] = text.split(" ");
  // The cases below spell them right.
  const securable = { type: type as SecurableType, fullName: fullName ?? "" };
  return { privilege: privilege as Privilege, securable };
}

function open(given: Given, owner: Record<string, string> = {}) {
  const grants = createGrants({ state: openState(":memory:"), admin: "admin" });
  for (const text of given) {
    const { privilege, securable } = parse(text);
    grants.change(securable, [{ principal: "ann", add: [privilege] }]);
  }
  for (const [text, name] of Object.entries(owner)) grants.own(parse(`- ${text}`).securable, name);
  return grants;
}

function check(given: Given, wanted: string, expected: string, owner?: Record<string, string>) {
  const { privilege, securable } = parse(wanted);
  const grants = open(given, owner);
  if (expected === "allowed") return grants.require(ann, privilege, securable);
  assert.throws(() => grants.require(ann, privilege, securable), {
    errorCode: "PERMISSION_DENIED",
    status: 403,
    message: expected,
  });
}

const use = ["USE_CATALOG catalog ml", "USE_SCHEMA schema ml.m"];
const select = "SELECT table ml.m.t";

test("without anything, the catalog is missing first", () =>
  check([], select, "User does not have USE CATALOG on Catalog 'ml'."));
test("then the schema", () =>
  check(use.slice(0, 1), select, "User does not have USE SCHEMA on Schema 'ml.m'."));
test("then the table", () => check(use, select, "User does not have SELECT on Table 'ml.m.t'."));
test("granted on the table", () => check([...use, select], select, "allowed"));
test("granted on the schema", () => check([...use, "SELECT schema ml.m"], select, "allowed"));
test("granted on the catalog, with the use of all schemas", () =>
  check(
    ["USE_CATALOG catalog ml", "USE_SCHEMA catalog ml", "SELECT catalog ml"],
    select,
    "allowed",
  ));
test("granted on another table", () =>
  check([...use, "SELECT table ml.m.u"], select, "User does not have SELECT on Table 'ml.m.t'."));
test("the table alone is of no use", () =>
  check([select], select, "User does not have USE CATALOG on Catalog 'ml'."));
test("all privileges are all, also on what is below", () =>
  check(["ALL_PRIVILEGES catalog ml"], select, "allowed"));
test("all privileges are not the right to manage", () =>
  check(
    ["ALL_PRIVILEGES catalog ml"],
    "MANAGE schema ml.m",
    "User does not have MANAGE on Schema 'ml.m'.",
  ));
test("the owner of a table needs the use of its parents", () => {
  const owner = { "table ml.m.t": "ann" };
  check([], select, "User does not have USE CATALOG on Catalog 'ml'.", owner);
  check(use, select, "allowed", owner);
});
test("the owner of the catalog may do everything in it", () =>
  check([], select, "allowed", { "catalog ml": "ann" }));
test("a model is called so", () =>
  check(
    use,
    "EXECUTE function ml.m.f",
    "User does not have EXECUTE on Routine or Model 'ml.m.f'.",
  ));
test("to make a catalog is a privilege on the metastore", () =>
  check(
    [],
    "CREATE_CATALOG metastore local",
    "User does not have CREATE CATALOG on Metastore 'local'.",
  ));

test("a group that everybody is in", () => {
  const grants = open([]);
  grants.change({ type: "catalog", fullName: "ml" }, [
    { principal: "account users", add: ["ALL PRIVILEGES"] },
  ]);
  assert.ok(grants.allows(ann, "SELECT", { type: "table", fullName: "ml.m.t" }));
});

test("the admin owns the metastore and may do everything", () =>
  open([]).require(admin, "SELECT", { type: "table", fullName: "x.y.z" }));

for (const [what, change, message] of [
  [
    "unknown privilege",
    { add: ["FLY"] },
    /Privilege FLY is not applicable to this entity \[TABLE\]/,
  ],
  ["one of another type", { add: ["READ_VOLUME"] }, /READ_VOLUME is not applicable/],
  ["added and removed", { add: ["SELECT"], remove: ["SELECT"] }, /both added and removed/],
] as const) {
  test(`a change is refused: ${what}`, () => {
    const grants = open([]);
    const table = { type: "table", fullName: "ml.m.t" } as const;
    assert.throws(() => grants.change(table, [{ principal: "ann", ...change }]), {
      errorCode: "INVALID_PARAMETER_VALUE",
      message,
    });
    assert.deepEqual(grants.assignments(table), []);
  });
}

test("what is granted is told with where it comes from", () => {
  const grants = open([...use, select]);
  assert.deepEqual(grants.effective({ type: "table", fullName: "ml.m.t" }), [
    {
      principal: "ann",
      privileges: [
        { privilege: "USE_CATALOG", from: { type: "catalog", fullName: "ml" } },
        { privilege: "USE_SCHEMA", from: { type: "schema", fullName: "ml.m" } },
        { privilege: "SELECT", from: { type: "table", fullName: "ml.m.t" } },
      ],
    },
  ]);
});

test("a schema that is removed takes the grants in it along", () => {
  const grants = open([...use, select, "SELECT table ml.m2.t"]);
  grants.forget({ type: "schema", fullName: "ml.m" });
  assert.deepEqual(grants.assignments({ type: "table", fullName: "ml.m.t" }), []);
  assert.equal(grants.assignments({ type: "table", fullName: "ml.m2.t" }).length, 1);
});
