import assert from "node:assert/strict";
import { test } from "node:test";
import { type Caller, refusal } from "./guard.ts";

const base: Caller = {
  method: "GET",
  path: "/api/overview",
  host: "127.0.0.1:4318",
  origin: undefined,
  fetchSite: undefined,
  fetchMode: undefined,
};

function check(caller: Partial<Caller>, expected: "let in" | "refused") {
  const name = `${expected}: ${JSON.stringify(caller)}`;
  test(name, () => {
    assert.equal(refusal({ ...base, ...caller }, 4318) === null ? "let in" : "refused", expected);
  });
}

// Programs: an OTLP exporter, curl, Prometheus.
check({}, "let in");
check({ host: "localhost:4318" }, "let in");
check({ host: "LOCALHOST:4318" }, "let in");
check({ host: "[::1]:4318" }, "let in");
check({ method: "POST", path: "/v1/traces" }, "let in");

// The page itself.
check({ origin: "http://127.0.0.1:4318", fetchSite: "same-origin" }, "let in");
check({ path: "/", fetchSite: "none", fetchMode: "navigate" }, "let in");
check({ path: "/", fetchSite: "cross-site", fetchMode: "navigate" }, "let in");

// A page of elsewhere.
check({ host: "evil.example:4318" }, "refused");
check({ host: "127.0.0.1.evil.example:4318" }, "refused");
check({ host: "127.0.0.1:9999" }, "refused");
check({ host: undefined }, "refused");
check({ origin: "https://evil.example" }, "refused");
check({ origin: "null" }, "refused");
check({ origin: "http://127.0.0.1:3000", method: "POST", path: "/v1/traces" }, "refused");
check({ fetchSite: "cross-site", fetchMode: "no-cors" }, "refused");
check({ fetchSite: "same-site", fetchMode: "cors" }, "refused");
check({ fetchSite: "cross-site", fetchMode: "navigate" }, "refused");
check({ method: "POST", path: "/", fetchSite: "cross-site", fetchMode: "navigate" }, "refused");
