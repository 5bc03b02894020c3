/**
 * The path of an API call. Names from outside are encoded as they are put in, so
 * an endpoint called `a/../b` can never reach another part of the API:
 *
 *     apiPath`/api/2.0/serving-endpoints/${name}/metrics`
 */
import { MonitorError } from "../monitor-error.ts";

export type ApiPath = string & { readonly isApiPath: true };

/** @throws MonitorError `USAGE_INVALID` when a name is empty, `.` or `..`, which a URL would swallow. */
export function apiPath(parts: TemplateStringsArray, ...names: readonly string[]): ApiPath {
  const path = parts.reduce((start, part, index) => start + segment(names[index - 1]) + part);
  return path as ApiPath; // The only way to make one.
}

function segment(name: string | undefined): string {
  if (!name || name === "." || name === ".." || !name.isWellFormed()) {
    throw new MonitorError(
      "USAGE_INVALID",
      `${JSON.stringify(name)} is not a name that can exist`,
      {
        hint: "Check the name, for example of the serving endpoint.",
      },
    );
  }
  return encodeURIComponent(name);
}
