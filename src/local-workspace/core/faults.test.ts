/** Which calls a fault hits. Each letter is a call: what happens to it, or `.`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createFaults, type FaultMatch } from "./faults.ts";

function check(matches: readonly FaultMatch[], calls: readonly string[], expected: string) {
  const faults = createFaults();
  for (const [i, match] of matches.entries()) {
    faults.add({ ...match, kind: "answer", status: i, errorCode: "ABORTED" });
  }
  const hit = calls.map((call) => {
    const [method = "", path = ""] = call.split(" ");
    const effect = faults.next({ method, path });
    return effect?.kind === "answer" ? "abc"[effect.status] : ".";
  });
  assert.equal(hit.join(""), expected);
}

const get = "GET /api/2.0/things/1";
const list = "GET /api/2.0/things";

test("the next call, and only that", () =>
  check([{ path: "/api/2.0/things" }], [list, list], "a."));
test("from the nth on, as often as it says", () =>
  check([{ path: "/api/2.0/things", nth: 2, times: 2 }], [list, list, list, list], ".aa."));
test("* ends at a slash", () =>
  check([{ path: "/api/2.0/*" }], [get, "GET /api/2.0/a.b", list], ".a."));
test("** does not", () => check([{ path: "/api/**", times: 9 }], [get, list, "GET /oidc"], "aa."));
test("only its method", () => check([{ method: "post", path: "/a" }], ["GET /a", "POST /a"], ".a"));
test("a dot is a dot", () => check([{ path: "/api/2.0/x" }], ["GET /api/2x0/x"], "."));
test("a slash at the end makes no difference", () => check([{ path: "/a" }], ["GET /a/"], "a"));
test("of two faults for one call the first one added counts, and both have seen it", () =>
  check([{ path: "/a" }, { path: "/a", nth: 2 }], ["GET /a", "GET /a", "GET /a"], "ab."));

test("a fault that is taken back does not happen", () => {
  const faults = createFaults();
  const takeBack = faults.add({ path: "/a", kind: "hang" });
  takeBack();
  assert.equal(faults.next({ method: "GET", path: "/a" }), null);
});
