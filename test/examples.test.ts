/**
 * The examples are the programs whose telemetry was recorded, word for word, so that
 * the local workspace may answer for them from the recordings.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { readAgentConfig } from "../src/config/agent-config.ts";

const root = new URL("../", import.meta.url);
const recorded = readFileSync(new URL("fixtures/telemetry/record/programs.py", root), "utf8");
const programs = {
  "support-rag": "RagQA()",
  "order-agent": "order_agent()",
  "triage-pipeline": "SupportPipeline()",
};

for (const [name, program] of Object.entries(programs)) {
  const folder = new URL(`examples/${name}/`, root);
  const read = (file: string) => readFileSync(new URL(file, folder), "utf8");

  test(`${name}: every class, function and constant is the recorded one`, () => {
    const blocks = read("agent.py").split(/\n\n+(?=\S)/);
    const own = /^(?:"""|import |from |dspy\.configure|program = )/;
    const ofProgram = blocks.filter((block) => !own.test(block));
    assert.ok(ofProgram.length >= 3);
    for (const block of ofProgram) assert.ok(recorded.includes(block.trimEnd()), block);
    assert.ok(blocks.some((block) => block.trimEnd().endsWith(`program = ${program}`)));
  });

  test(`${name}: agent.yaml is right in every environment, and prod is strict where dev is lenient`, () => {
    const config = (environment?: string) =>
      readAgentConfig(read("agent.yaml"), { file: "agent.yaml", environment });
    assert.equal(config().deployment.servingEndpoint, name);
    const [dev, prod] = [config("dev"), config("prod")].map(
      ({ monitoring }) => monitoring.alerts?.thresholds,
    );
    assert.ok(
      (dev?.latencyP99ThresholdMs ?? 0) > (prod?.latencyP99ThresholdMs ?? Number.POSITIVE_INFINITY),
    );
    const { model } = config();
    assert.ok("code" in model);
    for (const file of [model.code, model.program, "README.md"]) {
      if (file !== undefined) assert.ok(existsSync(new URL(file, folder)), file);
    }
  });
}
