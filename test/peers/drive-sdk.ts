/**
 * Drives a workspace with Databricks' own SDK for Python: calls with what each must
 * answer, made one after the other in one Python process.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runProgram } from "./run-program.ts";

const python = new URL("../../.peers/python/bin/python", import.meta.url).pathname;
const driver = new URL("sdk-driver.py", import.meta.url).pathname;

export type SdkCall = {
  /** What is shown by it. */
  readonly what: string;
  /** As in the SDK, such as `catalogs.create`. */
  readonly call: string;
  /** See `sdk-driver.py` for how objects, enums, files and earlier answers are written. */
  readonly args?: Readonly<Record<string, unknown>>;
  /** The admin, when it is left out. */
  readonly as?: string;
  readonly wait?: boolean;
  /** What must be in the answer: fields of an object, of each item of a list, or the whole value. */
  readonly answers?: unknown;
  /** How it must be refused, instead. */
  readonly refuses?: { readonly type: string; readonly code?: string; readonly says: RegExp };
};

export type DriveOptions = {
  readonly url: string;
  /** Tokens, or client ids with their secrets. */
  readonly tokens: Readonly<
    Record<string, string | { readonly id: string; readonly secret: string }>
  >;
  readonly calls: readonly SdkCall[];
  /** How long calls that wait for an outcome wait for it. */
  readonly timeoutSeconds?: number;
};

type Answered =
  | { readonly answer: unknown }
  | { readonly error: { readonly type: string; readonly code: string; readonly message: string } };

/** Makes the calls, and registers a test for each. @returns the answers, in order. */
export async function driveSdk({
  url,
  tokens,
  calls,
  timeoutSeconds = 60,
}: DriveOptions): Promise<readonly unknown[]> {
  const input = JSON.stringify({
    tokens,
    timeout: timeoutSeconds,
    calls: calls.map(({ call, args, as, wait }) => ({ call, args, as, wait })),
  });
  const { code, output } = await runProgram(python, [driver], {
    env: { DATABRICKS_HOST: url },
    input,
  });
  if (code !== 0) throw new Error(output);
  const [, printed = "[]"] = /^ANSWERS (.*)$/m.exec(output) ?? [];
  // As the driver prints it.
  const answers = JSON.parse(printed) as readonly Answered[];
  calls.forEach((call, i) => {
    test(`${call.call}: ${call.what}`, () => check(call, answers[i] ?? assert.fail()));
  });
  return answers.map((each) => ("answer" in each ? each.answer : null));
}

function check({ answers, refuses }: SdkCall, answered: Answered): void {
  const shown = JSON.stringify(answered, null, 1);
  if (refuses) {
    assert.ok("error" in answered, shown);
    assert.equal(answered.error.type, refuses.type, shown);
    if (refuses.code) assert.equal(answered.error.code, refuses.code, shown);
    assert.match(answered.error.message, refuses.says);
    return;
  }
  assert.ok("answer" in answered, shown);
  if (answers === undefined) return;
  if (typeof answers === "object" && answers !== null) {
    if (Array.isArray(answers) && Array.isArray(answered.answer)) {
      assert.equal(answered.answer.length, answers.length, shown);
    }
    // What an answer has beside what is asked for is of no concern.
    assert.partialDeepStrictEqual(answered.answer as object, answers, shown);
  } else {
    assert.deepEqual(answered.answer, answers, shown);
  }
}

/** How arguments of the SDK are written: see `sdk-driver.py`. */
export const sdk = {
  object: (type: string, value: unknown) => ({ $type: type, value }),
  enum: (path: string) => ({ $enum: path }),
  file: (text: string) => ({ $bytes: text }),
  answer: (path: string) => ({ $ref: path }),
};
