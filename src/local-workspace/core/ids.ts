/** New ids, in the forms that Databricks uses. */
import { randomBytes, randomInt, randomUUID } from "node:crypto";

/** A UUID. */
export const newId = (): string => randomUUID();

/** 32 hexadecimal digits, as endpoints, dashboards and runs have. */
export const newHexId = (): string => randomBytes(16).toString("hex");

/** 15 digits, as jobs, runs of jobs and workspace objects have. */
export const newNumberId = (): number =>
  randomInt(100_000_000, 999_999_999) * 1_000_000 + randomInt(0, 1_000_000);
