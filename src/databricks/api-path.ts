/**
 * The path of an API call. Names from outside are encoded as they are put in, so
 * an endpoint called `a/../b` can never reach another part of the API. A list is
 * the path of a file, each of whose names is encoded by itself:
 *
 *     apiPath`/api/2.0/serving-endpoints/${name}/metrics`
 *     apiPath`/api/2.0/fs/files/${["Volumes", "ml", "agents", "files", "a b.json"]}`
 */
import { MonitorError } from "../monitor-error.ts";

export type ApiPath = string & { readonly isApiPath: true };

/** @throws MonitorError `USAGE_INVALID` when a name is empty, `.` or `..`, which a URL would swallow. */
export function apiPath(
  parts: TemplateStringsArray,
  ...names: readonly (string | readonly string[])[]
): ApiPath {
  const path = parts.reduce((start, part, index) => start + segments(names[index - 1]) + part);
  return path as ApiPath; // The only way to make one.
}

function segments(name: string | readonly string[] | undefined): string {
  return typeof name === "object" ? name.map(segment).join("/") : segment(name);
}

function segment(name: string | undefined): string {
  if (!name || name === "." || name === ".." || !name.isWellFormed()) {
    throw new MonitorError(
      "USAGE_INVALID",
      `${JSON.stringify(name)} is not a name that can exist`,
      {
        hint: "Check the name, for example of the serving endpoint or of the file.",
      },
    );
  }
  return encodeURIComponent(name);
}
