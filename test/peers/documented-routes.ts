/**
 * `docs/local-workspace.md` says of each route by which test it is proven: here that test
 * is held to it, by the calls that the workspace got.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import type { LocalWorkspace } from "../../src/local-workspace/workspace.ts";

const docs = readFileSync(new URL("../../docs/local-workspace.md", import.meta.url), "utf8");

/** Registers a test for each route that the docs give to this file. @param file `import.meta.url`. */
export function testDocumentedRoutes(
  file: string,
  workspaces: readonly Pick<LocalWorkspace, "calls">[],
): void {
  const routes = docs
    .split("\n")
    .filter((line) => line.includes(`(../test/peers/${basename(file)})`))
    .flatMap((line) => Array.from((line.split(" | ")[0] ?? "").matchAll(/`([^`]+)`/g)))
    .map(([, route = ""]) => route);
  assert.notDeepEqual(routes, [], `docs/local-workspace.md gives no route to ${basename(file)}`);

  for (const route of routes) {
    const [method = "", path = ""] = route.split(" ");
    // A name is one part of the path, but for a path, which is the rest of it.
    const pattern = path
      .replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&")
      .replaceAll(/\{path\}/g, ".+")
      .replaceAll(/\{[a-z_]+\}/g, "[^/]+");
    const isRoute = new RegExp(`^${pattern}/?$`);
    test(`driven: ${route}`, () => {
      const calls = workspaces.flatMap((each) => each.calls());
      const hit = calls.find((call) => isSame(call.method, method) && isRoute.test(call.path));
      assert.ok(hit, `no call of this test reaches ${route}`);
    });
  }
}

/** A HEAD is answered by the route of the GET. */
function isSame(called: string, route: string): boolean {
  return called === route || (called === "HEAD" && route === "GET");
}
