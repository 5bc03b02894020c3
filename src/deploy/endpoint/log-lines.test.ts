/** The cause is told first, however much the programs around it say after it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { explainLogs } from "./log-lines.ts";

const stack = `Traceback (most recent call last):
  File "/model/code/agent.py", line 9, in <module>
    raise RuntimeError("broken on purpose")
RuntimeError: broken on purpose

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "mlflow/models/utils.py", line 1965, in _load_model_code_path
    raise MlflowException(
    ^^^^^^^^^^^^^^^^^^^^^^
mlflow.exceptions.MlflowException: Failed to run user code
${Array.from({ length: 30 }, (_, at) => `  File "click/core.py", line ${at}`).join("\n")}
Exception: Command uvicorn returned non zero return code
Exception: Command uvicorn returned non zero return code
`;

test("the earliest exception comes first, each once", () => {
  assert.deepEqual(explainLogs(stack).causes, [
    "RuntimeError: broken on purpose",
    "mlflow.exceptions.MlflowException: Failed to run user code",
    "Exception: Command uvicorn returned non zero return code",
  ]);
});

test("the last lines are told without marks, and are bounded", () => {
  const { lastLines } = explainLogs(stack);
  assert.equal(lastLines.length, 10);
  assert.equal(lastLines[0], '  File "click/core.py", line 22');
});

test("what pip says is a cause, too", () => {
  const { causes } = explainLogs("ERROR: No matching distribution found for dspy==99\nfailed\n");
  assert.deepEqual(causes, ["ERROR: No matching distribution found for dspy==99"]);
});

test("secrets and control characters of a log are not repeated", () => {
  const token = `dapi${"0123456789abcdef".repeat(2)}`;
  const { causes } = explainLogs(`ValueError: token ${token} \u001b[31mrefused`);
  assert.ok(!causes.join().includes(token) && !causes.join().includes("\u001b"), causes.join());
});

test("without a log nothing is told", () => {
  assert.deepEqual(explainLogs(""), { causes: [], lastLines: [] });
});
