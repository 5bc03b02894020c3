/**
 * Options as plain JavaScript gives them, where no compiler has looked: one that makes
 * no sense is refused at once, by name, with what to give instead. For what is set up
 * and asked; what records takes anything and never throws.
 */
import { MonitorError } from "./monitor-error.ts";

/** @throws MonitorError `CONFIG_INVALID`. */
export function refuseOption(name: string, value: unknown, hint: string): never {
  throw new MonitorError("CONFIG_INVALID", `${name} can't be ${shown(value)}`, { hint });
}

/** @throws MonitorError `CONFIG_INVALID` for what has no fields to read. */
export function checkOptions(what: string, options: unknown): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  refuseOption(`the options of ${what}`, options, "Give an object with the options by name.");
}

/** @throws MonitorError `CONFIG_INVALID`. */
export function checkWholeNumber(
  name: string,
  value: unknown,
  { min, max }: { readonly min: number; readonly max: number },
): void {
  const isWhole = typeof value === "number" && Number.isInteger(value);
  if (isWhole && value >= min && value <= max) return;
  refuseOption(name, value, `Give a whole number from ${min} to ${max}.`);
}

/** For times and shares: any number above 0, fractions too. @throws MonitorError `CONFIG_INVALID`. */
export function checkAboveZero(
  name: string,
  value: unknown,
  { max, unit }: { readonly max: number; readonly unit: string },
): void {
  if (typeof value === "number" && value > 0 && value <= max) return;
  const upTo = max === Number.POSITIVE_INFINITY ? "" : `, ${max} at most`;
  refuseOption(name, value, `Give ${unit} above 0${upTo}.`);
}

/** @throws MonitorError `CONFIG_INVALID`. */
export function checkText(name: string, value: unknown): void {
  if (typeof value !== "string") refuseOption(name, value, "Give it as a string.");
}

/** @throws MonitorError `CONFIG_INVALID`. */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") refuseOption(name, value, "Give a function.");
}

/** @throws MonitorError `CONFIG_INVALID` for an object that can't do what will be asked of it. */
export function checkMethods(
  name: string,
  value: unknown,
  { methods, hint }: { readonly methods: readonly string[]; readonly hint: string },
): void {
  const isObject = typeof value === "object" && value !== null;
  const has = (method: string) => isObject && typeof Reflect.get(value, method) === "function";
  if (!methods.every(has)) refuseOption(name, value, hint);
}

/** Longest text that is shown of a value that was refused. */
const SHOWN_MAX_CHARS = 40;

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, SHOWN_MAX_CHARS));
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object of this kind" : String(value);
}
