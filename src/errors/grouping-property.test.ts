/** Groups of any errors: what varies never splits one, and types, agents and statuses never share one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errorClasses } from "../signals/error-class.ts";
import { severities } from "./error-severity.ts";
import { ErrorTracker } from "./error-tracker.ts";

const name = fc.oneof(
  fc.constantFrom("a", "ab", "b", "api", "api.error", "agent.timeout", "__proto__", "1", ""),
  fc.string({ unit: fc.constantFrom(..."ab.1_"), minLength: 1, maxLength: 6 }),
);
const cause = fc.record({
  type: name,
  agentName: fc.option(name),
  statusCode: fc.option(fc.constantFrom(400, 404, 429, 500, 503)),
  said: fc.constantFrom("no answer", "no tool", "the model refused", ""),
  thrown: fc.option(fc.constantFrom("fetch failed", "terminated")),
});

/** What doesn't tell the cause. */
const chance = fc.record({
  number: fc.integer({ min: 0, max: 10 ** 9 }),
  uuid: fc.uuid(),
  severity: fc.constantFrom(...severities),
  errorClass: fc.constantFrom(...errorClasses),
  modelVersion: fc.option(fc.string({ maxLength: 3 })),
  context: fc.anything(),
});

test("errors are in one group exactly when their causes are the same", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cause, chance), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 40 }),
      (errors, maxErrors) => {
        const tracker = new ErrorTracker({ maxErrors });
        const counts = new Map<string, number>();
        const causeOfGroup = new Map<string, string>();
        for (const [
          { type, agentName, statusCode, said, thrown },
          { number, uuid, ...rest },
        ] of errors) {
          const id = tracker.trackError(type, `${said} (${number} of ${uuid})`, {
            severity: rest.severity,
            errorClass: rest.errorClass,
            context: rest.context,
            ...(agentName === null ? {} : { agentName }),
            ...(statusCode === null ? {} : { statusCode }),
            ...(rest.modelVersion === null ? {} : { modelVersion: rest.modelVersion }),
            ...(thrown === null ? {} : { error: new Error(`${thrown}: ${number}`) }),
          });
          const key = JSON.stringify([type || "unknown", agentName, statusCode, said, thrown]);
          assert.equal(causeOfGroup.get(id ?? "") ?? key, key);
          causeOfGroup.set(id ?? "", key);
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        assert.equal(causeOfGroup.size, counts.size);
        const groups = tracker.getGroups();
        assert.equal(groups.length, counts.size);
        for (const { id, count, type, agentName, statusCode } of groups) {
          const key = causeOfGroup.get(id) ?? "";
          assert.equal(count, counts.get(key));
          assert.deepEqual(JSON.parse(key).slice(0, 3), [type, agentName, statusCode]);
        }
        const { totalErrors, uniqueErrors, byType } = tracker.getErrorSummary();
        const kept = errors.slice(-maxErrors);
        assert.equal(totalErrors, kept.length);
        assert.ok(uniqueErrors <= counts.size);
        for (const [type, count] of Object.entries(byType)) {
          assert.equal(count, kept.filter(([one]) => (one.type || "unknown") === type).length);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("what is told of the last errors is what a plain list of them tells", () => {
  const error = fc.record({
    waitMs: fc.integer({ min: 0, max: 90_000 }),
    type: fc.constantFrom("api", "api.error", "apis", "model"),
    severity: fc.constantFrom(...severities),
    agentName: fc.constantFrom("qa", "triage"),
  });
  const filter = fc.record(
    {
      minutes: fc.integer({ min: 0, max: 10 }),
      severities: fc.subarray([...severities]),
      errorType: fc.constantFrom("api", "api.error", "model", "no"),
      agentName: fc.constantFrom("qa", "triage", "none"),
      limit: fc.integer({ min: 0, max: 5 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.array(error, { maxLength: 40 }),
      filter,
      fc.integer({ min: 1, max: 50 }),
      (errors, wanted, maxErrors) => {
        let nowMs = 1e12;
        const tracker = new ErrorTracker({ clock: { now: () => nowMs }, maxErrors });
        const list: {
          sequence: number;
          timeMs: number;
          type: string;
          severity: string;
          agentName: string;
        }[] = [];
        for (const { waitMs, type, severity, agentName } of errors) {
          nowMs += waitMs;
          tracker.trackError(type, "x", { severity, agentName });
          list.push({ sequence: list.length + 1, timeMs: nowMs, type, severity, agentName });
        }
        const sinceMs = nowMs - 60_000 * (wanted.minutes ?? 60);
        const expected = list
          .slice(-maxErrors)
          .filter(({ timeMs }) => timeMs > sinceMs)
          .filter(({ severity }) => wanted.severities?.some((one) => one === severity) ?? true)
          .filter(
            ({ type }) =>
              wanted.errorType === undefined || `${type}.`.startsWith(`${wanted.errorType}.`),
          )
          .filter(
            ({ agentName }) => wanted.agentName === undefined || agentName === wanted.agentName,
          )
          .toReversed()
          .slice(0, wanted.limit ?? 100)
          .map(({ sequence }) => sequence);
        assert.deepEqual(
          tracker.getRecentErrors(wanted).map(({ sequence }) => sequence),
          expected,
        );
      },
    ),
  );
});
