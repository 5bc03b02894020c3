/**
 * `npm test`: every test file, one more at a time than there are cores, since some of them
 * wait, and with what Node made of the sources kept for the next process. Node alone leaves
 * one core idle, and each process of a run strips the types of the same sources again.
 *
 *     npm test                             all
 *     npm test -- src/rules/*.test.ts      some; also any option of `node --test`
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

/** A test that hangs fails after this long, in milliseconds. */
const TEST_MAX_MS = 120_000;
const ALL = ["src/**/*.test.ts", "test/*.test.ts"];

const given = process.argv.slice(2);
const files = given.some((argument) => !argument.startsWith("-")) ? [] : ALL;
const { status } = spawnSync(
  process.execPath,
  [
    "--test",
    `--test-timeout=${TEST_MAX_MS}`,
    `--test-concurrency=${availableParallelism() + 1}`,
    ...given,
    ...files,
  ],
  {
    stdio: "inherit",
    env: {
      NODE_COMPILE_CACHE: fileURLToPath(new URL("../node_modules/.cache/compile", import.meta.url)),
      ...process.env,
    },
  },
);
process.exitCode = status ?? 1;
