import assert from "node:assert/strict";
import { test } from "node:test";
import { clientThatAnswers } from "../../databricks/test-answering-client.ts";
import { createTestClock } from "../../databricks/test-clock.ts";
import { uploadFiles } from "./register-version.ts";

const FILES = 20;

for (const [what, eachMs, told] of [
  ["in a moment says nothing", 5, []],
  ["over seconds tells once a second how far it is", 300, [4, 8, 12, 16, 20]],
] as const) {
  test(`an upload of many files ${what}`, async () => {
    let nowMs = 0;
    const { client } = clientThatAnswers((request) => {
      if (request.startsWith("PUT")) nowMs += eachMs;
      return Response.json({ is_databricks_sdk_models_artifact_repository_enabled: true });
    });
    const files = new Map(
      Array.from({ length: FILES }, (_, at) => [`code/${at}.py`, new Uint8Array(1)]),
    );
    const messages: string[] = [];
    await uploadFiles(
      {
        client,
        clock: { ...createTestClock(), now: () => nowMs },
        onProgress: ({ message }) => messages.push(message),
        pollMs: 1000,
        readyTimeoutMs: 1000,
      },
      { modelName: "ml.agents.support", version: 1 },
      { files, contentHash: "0".repeat(64), sizeBytes: FILES },
    );
    assert.deepEqual(
      messages,
      told.map((uploaded) => `${uploaded} of ${FILES} files`),
    );
  });
}
