/** Against the tables of textbooks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { normalQuantile, normalTail, studentQuantile } from "./probability.ts";

function check(what: string, actual: number, expected: number) {
  test(`${what} is ${expected}`, () => assert.ok(Math.abs(actual - expected) < 1e-5, `${actual}`));
}

check("the chance of more than 0", normalTail(0), 0.5);
check("the chance of more than 1", normalTail(1), 0.158655);
check("the chance of more than −1", normalTail(-1), 0.841345);
check("the chance of more than 100", normalTail(100), 0);
check("z of 5 %", normalQuantile(0.05), 1.644854);
check("z of 2.5 %", normalQuantile(0.025), 1.959964);
check("z of 0.1 %", normalQuantile(0.001), 3.090232);
check("z of a half", normalQuantile(0.5), 0);
check("t of 2.5 % with 60 degrees", studentQuantile(0.025, { degrees: 60 }), 2.000298);
check("t of 2.5 % with 100 degrees", studentQuantile(0.025, { degrees: 100 }), 1.983972);
check("t of 0.5 % with 100 degrees", studentQuantile(0.005, { degrees: 100 }), 2.625891);
check("t of 2.5 % with a million", studentQuantile(0.025, { degrees: 1e6 }), 1.959966);
