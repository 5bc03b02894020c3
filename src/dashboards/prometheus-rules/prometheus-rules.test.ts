/** The Prometheus rules of one agent: the exact file, and valid PromQL whatever its name. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { parser } from "@prometheus-io/lezer-promql";
import fc from "fast-check";
import { parse } from "yaml";
import { defaultAlertThresholds, thresholdRules } from "../../rules/alert-thresholds.ts";
import { prometheusRules } from "./prometheus-rules.ts";

const options = { prefix: "dspy_", boundsMs: [500, 1_000, 2_000] };
const thresholds = { ...defaultAlertThresholds, latencyP99ThresholdMs: 1_000 };

test("as recorded", () => {
  const golden = new URL("golden/rules.yaml", import.meta.url);
  const text = prometheusRules(thresholdRules("prod-qa", thresholds), options);
  if (process.env.UPDATE) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, "utf8"));
});

test("whatever a name holds, it is valid PromQL in valid YAML, and the same name", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 30 }), (name) => {
      const { groups } = parse(prometheusRules(thresholdRules(name, thresholds), options));
      for (const { expr, labels } of groups[0].rules) {
        if (!name.includes("{{")) assert.equal(labels.endpoint, name);
        parser.parse(expr).iterate({
          enter: ({ type }) => assert.ok(!type.isError, `${expr} is no PromQL`),
        });
      }
    }),
  );
});

test("slow calls are counted from the next bound on, and none beyond the last", () => {
  const exprOf = (latencyP99ThresholdMs: number) =>
    parse(prometheusRules(thresholdRules("qa", { ...thresholds, latencyP99ThresholdMs }), options))
      .groups[0].rules[1].expr;
  assert.match(exprOf(700), /le="1"/);
  assert.match(exprOf(1_000), /le="1"/);
  assert.doesNotMatch(exprOf(5_000), /le=/);
});
