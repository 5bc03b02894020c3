/**
 * Files of volumes and of model versions: uploaded, read, listed and deleted by path,
 * as `/Volumes/<catalog>/<schema>/<volume>/…` and `/Models/<catalog>/<schema>/<model>/<version>/…`.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/files.py`; the codes of the
 * refusals are assumed.
 */
import { createReadStream } from "node:fs";
import { extname } from "node:path";
import { Readable } from "node:stream";
import type { Context } from "hono";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceApi, WorkspaceContext, WorkspaceEnv } from "../core/context.ts";
import type { FileEntry, FileTree } from "../core/file-tree.ts";
import { pageOf } from "../core/paging.ts";
import { Refusal } from "../databricks-error.ts";
import { findVersion, modelSecurable, requireUploader } from "../unity-catalog/model-registry.ts";
import { findVolume, volumeSecurable } from "../unity-catalog/volumes.ts";

const FILES = "/api/2.0/fs/files";
const DIRECTORIES = "/api/2.0/fs/directories";

const LIST_SIZES = { defaultResults: 1000, limit: 1000 } as const;

/** Where a path of a caller leads, once the caller may go there. */
type Place = {
  readonly tree: FileTree;
  /** Within the tree. */
  readonly path: string;
  /** As the caller names it. */
  readonly shown: string;
  /** Whether it is the volume or version itself. */
  readonly isRoot: boolean;
};

export const files: WorkspaceApi = {
  name: "Files",
  mount(routes, context) {
    type C = Context<WorkspaceEnv>;
    const placeOf = (c: C, base: string, access: "read" | "write") =>
      findPlace(context, pathOf(c, base), { principal: c.get("principal"), access });

    routes.put(`${FILES}/*`, async (c) => {
      const { tree, path, shown, isRoot } = placeOf(c, FILES, "write");
      if (isRoot) throw new Refusal("INVALID_PARAMETER_VALUE", `'${shown}' is a directory.`);
      const body = c.req.raw.body ?? new Uint8Array();
      const overwrite = c.req.query("overwrite") === "true";
      // Without it, bytes are received in vain.
      if (!overwrite && (await tree.describe(path))) {
        throw new Refusal("ALREADY_EXISTS", `The file being created already exists: ${shown}.`);
      }
      await tree.write(path, body, { overwrite });
      return c.body(null, 204);
    });

    routes.get(`${FILES}/*`, async (c) => {
      const place = placeOf(c, FILES, "read");
      const entry = await findFile(place);
      const headers = headersOf(entry);
      if (c.req.method === "HEAD") return new Response(null, { headers });
      const range = rangeOf(c.req.header("range"), entry.sizeBytes);
      if (range === "unsatisfiable") {
        return new Response(null, {
          status: 416,
          headers: { "content-range": `bytes */${entry.sizeBytes}` },
        });
      }
      const { start, end } = range ?? { start: 0, end: entry.sizeBytes - 1 };
      const body =
        end < start
          ? null
          : Readable.toWeb(createReadStream(place.tree.locate(place.path), { start, end }));
      return new Response(
        // Node's own type of a web stream is narrower than the one of `Response`.
        body as ReadableStream<Uint8Array> | null,
        {
          status: range ? 206 : 200,
          headers: {
            ...headers,
            "content-length": String(end - start + 1),
            ...(range ? { "content-range": `bytes ${start}-${end}/${entry.sizeBytes}` } : {}),
          },
        },
      );
    });

    routes.delete(`${FILES}/*`, async (c) => {
      const place = placeOf(c, FILES, "write");
      await findFile(place);
      await place.tree.removeFile(place.path);
      return c.body(null, 204);
    });

    routes.put(`${DIRECTORIES}/*`, async (c) => {
      const { tree, path, shown } = placeOf(c, DIRECTORIES, "write");
      const entry = await tree.describe(path);
      if (entry && !entry.isDirectory) {
        throw new Refusal("ALREADY_EXISTS", `'${shown}' is a file.`);
      }
      await tree.makeDirectory(path);
      return c.body(null, 204);
    });

    routes.get(`${DIRECTORIES}/*`, async (c) => {
      const place = placeOf(c, DIRECTORIES, "read");
      const entries = await place.tree.list(place.path);
      if (!entries && !place.isRoot) throw noDirectory(place);
      if (c.req.method === "HEAD") return c.body(null, 200);
      const { items, nextPageToken } = pageOf(entries ?? [], {
        ...LIST_SIZES,
        maxResults: Number(c.req.query("page_size") ?? 0),
        pageToken: c.req.query("page_token"),
      });
      return c.json({
        contents: items.map((entry) => ({
          path: `${place.shown}/${entry.name}`,
          name: entry.name,
          is_directory: entry.isDirectory,
          ...(entry.isDirectory
            ? {}
            : { file_size: entry.sizeBytes, last_modified: entry.modifiedMs }),
        })),
        next_page_token: nextPageToken,
      });
    });

    routes.delete(`${DIRECTORIES}/*`, async (c) => {
      const place = placeOf(c, DIRECTORIES, "write");
      const entries = await place.tree.list(place.path);
      if (!entries) throw noDirectory(place);
      if (place.isRoot || entries.length > 0) {
        throw new Refusal("DIRECTORY_NOT_EMPTY", `The directory '${place.shown}' is not empty.`);
      }
      await place.tree.removeEmptyDirectory(place.path);
      return c.body(null, 204);
    });
  },
};

/** What follows the route's own part, decoded, without slashes at the end. */
function pathOf(c: Context, base: string): string {
  const encoded = new URL(c.req.url).pathname.slice(base.length);
  try {
    return decodeURIComponent(encoded).replace(/\/+$/, "");
  } catch {
    throw new Refusal("INVALID_PARAMETER_VALUE", `'${encoded}' is not a valid path.`);
  }
}

type Visit = { readonly principal: Principal; readonly access: "read" | "write" };

function findPlace(context: WorkspaceContext, shown: string, { principal, access }: Visit): Place {
  const [, kind, catalog, schema, name, ...rest] = shown.split("/");
  if (catalog && schema && name && kind === "Volumes") {
    const { full_name: fullName } = findVolume(context, `${catalog}.${schema}.${name}`);
    const privilege = access === "read" ? "READ_VOLUME" : "WRITE_VOLUME";
    context.grants.require(principal, privilege, volumeSecurable(fullName));
    const path = [fullName.replaceAll(".", "/"), ...rest].join("/");
    return { tree: context.volumes, path, shown, isRoot: rest.length === 0 };
  }
  const [version, ...below] = rest;
  if (catalog && schema && name && version && kind === "Models") {
    const found = findVersion(context, `${catalog}.${schema}.${name}`, version);
    if (access === "read") {
      const isMaker = found.created_by === principal.name;
      if (!isMaker) context.grants.require(principal, "EXECUTE", modelSecurable(found.full_name));
    } else {
      requireUploader(context, found, principal);
      if (found.status !== "PENDING_REGISTRATION") {
        throw new Refusal(
          "PERMISSION_DENIED",
          `The files of model version '${version}' can't be changed: it is ${found.status}.`,
        );
      }
    }
    const path = [found.full_name.replaceAll(".", "/"), version, ...below].join("/");
    return { tree: context.models, path, shown, isRoot: below.length === 0 };
  }
  throw new Refusal(
    "INVALID_PARAMETER_VALUE",
    `'${shown}' is neither in /Volumes/<catalog>/<schema>/<volume> nor in /Models/<catalog>/<schema>/<model>/<version>.`,
  );
}

async function findFile({ tree, path, shown, isRoot }: Place): Promise<FileEntry> {
  const entry = isRoot ? null : await tree.describe(path);
  if (entry && !entry.isDirectory) return entry;
  throw new Refusal("NOT_FOUND", `The file being accessed is not found: ${shown}.`);
}

function noDirectory({ shown }: Place): Refusal {
  return new Refusal("NOT_FOUND", `The directory being accessed is not found: ${shown}.`);
}

function headersOf({ sizeBytes, modifiedMs, name }: FileEntry): Record<string, string> {
  return {
    "content-length": String(sizeBytes),
    "content-type": extname(name) === ".json" ? "application/json" : "application/octet-stream",
    "last-modified": new Date(modifiedMs).toUTCString(),
    "accept-ranges": "bytes",
  };
}

type Range = { readonly start: number; readonly end: number };

/** `null`: the whole file. Of several ranges, which nobody asks for, none is taken. */
function rangeOf(header: string | undefined, sizeBytes: number): Range | "unsatisfiable" | null {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return null;
  const start = first === "" ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  return start < sizeBytes && start <= end ? { start, end } : "unsatisfiable";
}
