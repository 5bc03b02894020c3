/** The table of routes in docs/local-workspace.md has every route that is there, and none that is not. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openTestWorkspace } from "./test-workspace.ts";

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const workspace = openTestWorkspace();
const registered = workspace.routes.map(({ method, path }) => shownAs(method, path));
await workspace.close();

/** `GET /api/2.0/things/{name}`; `{path}` stands for several segments. */
function shownAs(method: string, path: string): string {
  const shown = path
    .replaceAll(/(?<=\/):(\w+)(\{[^}]*\})?/g, (_, name: string) => `{${snake(name)}}`)
    .replace(/\*$/, "{path}");
  return `${method} ${shown}`;
}

const rows = readFileSync("docs/local-workspace.md", "utf8")
  .split("\n")
  .filter((line) => /^\| `[A-Z]+ \//.test(line))
  .map((line) => {
    const [, routes = "", told = ""] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    return { routes: Array.from(routes.matchAll(/`([^`]+)`/g), ([, route = ""]) => route), told };
  });
const there = rows.filter(({ told }) => !told.startsWith("not there"));

test("every route is in the table, once", () => {
  const documented = there.flatMap(({ routes }) => routes);
  assert.deepEqual(
    {
      undocumented: registered.filter((route) => !documented.includes(route)),
      unknown: documented.filter((route) => !registered.includes(route)),
      twice: documented.filter((route, i) => documented.indexOf(route) !== i),
    },
    { undocumented: [], unknown: [], twice: [] },
  );
});

test("what is said not to be there is not there", () => {
  const missing = rows.filter(({ told }) => told.startsWith("not there"));
  assert.ok(missing.length > 0);
  assert.deepEqual(
    missing.flatMap(({ routes }) => routes.filter((route) => registered.includes(route))),
    [],
  );
});

for (const { routes, told } of rows) {
  test(`it is said how far it is as Databricks: ${routes[0]}`, () => {
    assert.match(told, /^(as Databricks, proven by |as documented, |simplified: |not there)/);
    for (const [, file = ""] of told.matchAll(/proven by \[[^\]]*\]\(\.\.\/([^)]+)\)/g)) {
      assert.ok(existsSync(file), file);
    }
  });
}
