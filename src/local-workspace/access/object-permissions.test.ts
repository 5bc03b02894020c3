/** Levels of permission on workspace objects. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openState } from "../core/state.ts";
import {
  createObjectPermissions,
  type PermissionLevel,
  type WorkspaceObject,
} from "./object-permissions.ts";

const ann = { name: "ann", isAdmin: false };
const folder: WorkspaceObject = { type: "directories", id: "1" };
const endpoint: WorkspaceObject = { type: "serving-endpoints", id: "e1" };

function check(given: PermissionLevel | null, wanted: PermissionLevel, isAllowed: boolean) {
  const permissions = createObjectPermissions(openState(":memory:"));
  permissions.own(endpoint, "bob");
  if (given) permissions.merge(endpoint, [{ principal: "users", level: given }]);
  assert.equal(permissions.allows(ann, wanted, endpoint), isAllowed);
}

test("nothing is given, nothing is allowed", () => check(null, "CAN_VIEW", false));
test("a level contains those before it", () => check("CAN_MANAGE", "CAN_QUERY", true));
test("and not those after it", () => check("CAN_VIEW", "CAN_QUERY", false));

test("who made it may manage it, and so may an admin; a replacement takes nothing from them", () => {
  const permissions = createObjectPermissions(openState(":memory:"));
  permissions.own(endpoint, "ann");
  permissions.replace(endpoint, [{ principal: "bob", level: "CAN_VIEW" }]);
  assert.equal(permissions.levelOf(ann, endpoint), "CAN_MANAGE");
  assert.ok(permissions.allows({ name: "root", isAdmin: true }, "CAN_MANAGE", endpoint));
  assert.deepEqual(permissions.entries(endpoint), [
    { principal: "ann", level: "CAN_MANAGE" },
    { principal: "bob", level: "CAN_VIEW" },
  ]);
});

test("the permissions of a folder hold for what is in it", () => {
  const permissions = createObjectPermissions(openState(":memory:"));
  permissions.merge(folder, [{ principal: "ann", level: "CAN_EDIT" }]);
  const notebook: WorkspaceObject = { type: "notebooks", id: "2", parents: [folder] };
  assert.equal(permissions.levelOf(ann, notebook), "CAN_EDIT");
  assert.equal(permissions.levelOf(ann, { type: "notebooks", id: "3" }), null);
});

test("a level of another type is refused", () => {
  const permissions = createObjectPermissions(openState(":memory:"));
  assert.throws(() => permissions.merge(endpoint, [{ principal: "ann", level: "CAN_RUN" }]), {
    errorCode: "INVALID_PARAMETER_VALUE",
    message: /CAN_VIEW, CAN_QUERY, CAN_MANAGE/,
  });
});

test("a refusal says who lacks what on what", () => {
  const permissions = createObjectPermissions(openState(":memory:"));
  assert.throws(() => permissions.require(ann, "CAN_QUERY", endpoint, "serving endpoint 'qa'"), {
    status: 403,
    message: "ann does not have CAN_QUERY permission on serving endpoint 'qa'.",
  });
});
