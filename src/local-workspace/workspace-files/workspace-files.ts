/**
 * The workspace's folders, notebooks and files over its API: imported, exported, listed
 * and deleted.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/workspace.py` and
 * `databricks/sdk/mixins/workspace.py`. The words of the refusals are assumed.
 */
import { readFile } from "node:fs/promises";
import type { Context } from "hono";
import { z } from "zod";
import type { WorkspaceApi, WorkspaceContext, WorkspaceEnv } from "../core/context.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import {
  childrenOf,
  findObject,
  makeFolders,
  normalPath,
  type ObjectInfo,
  putObject,
  removeObject,
  requireLevel,
  requireObject,
  requireParent,
  seedFolders,
} from "./workspace-objects.ts";

const BASE = "/api/2.0/workspace";

const CONTENT_MAX_BYTES = 10 * 1024 * 1024;

const FORMATS = ["SOURCE", "JUPYTER", "AUTO", "RAW"] as const;
const newContent = z.looseObject({
  path: z.string(),
  content: z.string().default(""),
  format: z.string().default("SOURCE"),
  language: z.enum(["PYTHON", "SQL", "SCALA", "R"]).optional(),
  overwrite: z.union([z.boolean(), z.stringbool()]).default(false),
});
const ofPath = z.looseObject({ path: z.string() });

export const workspaceFiles: WorkspaceApi = {
  name: "Workspace",
  mount(routes, context) {
    seedFolders(context);

    routes.post(`${BASE}/import`, async (c) => {
      const principal = c.get("principal");
      const { body, content } = await readImport(c);
      const path = normalPath(body.path);
      if (content.length > CONTENT_MAX_BYTES) {
        throw new Refusal(
          "MAX_NOTEBOOK_SIZE_EXCEEDED",
          `File size imported is (${content.length} bytes), exceeded max size (${CONTENT_MAX_BYTES} bytes).`,
        );
      }
      const object = kindOf({ ...body, path }, content);
      requireParent(context, object.path, principal);
      const before = findObject(context, object.path);
      if (before && !body.overwrite) {
        throw new Refusal("RESOURCE_ALREADY_EXISTS", `Path (${object.path}) already exists.`, {
          status: 400,
        });
      }
      if (before && before.object_type !== object.object_type) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          `Cannot overwrite ${object.path}: it is a ${before.object_type}, not a ${object.object_type}.`,
        );
      }
      if (before) requireLevel(context, before, principal, "CAN_EDIT");
      const put = putObject(context, { ...object, size: content.length }, principal.name);
      await context.workspaceFiles.write(String(put.object_id), content, { overwrite: true });
      return c.json({});
    });

    routes.get(`${BASE}/export`, async (c) => {
      const query = readQuery(
        c,
        ofPath.extend({
          format: z.string().default("SOURCE"),
          direct_download: z.string().optional(),
        }),
      );
      const object = requireObject(context, normalPath(query.path));
      requireLevel(context, object, c.get("principal"), "CAN_READ");
      const content = await contentOf(context, object, query.format);
      if (query.direct_download === "true") {
        return new Response(new Uint8Array(content), {
          headers: { "content-type": "application/octet-stream" },
        });
      }
      return c.json({ content: content.toString("base64"), file_type: fileType(object) });
    });

    routes.get(`${BASE}/get-status`, (c) => {
      const object = requireObject(context, normalPath(readQuery(c, ofPath).path));
      requireLevel(context, object, c.get("principal"), "CAN_READ");
      return c.json(describe(object));
    });

    routes.get(`${BASE}/list`, (c) => {
      const object = requireObject(context, normalPath(readQuery(c, ofPath).path));
      requireLevel(context, object, c.get("principal"), "CAN_READ");
      const found =
        object.object_type === "DIRECTORY" ? childrenOf(context, object.path) : [object];
      const objects = found.filter((each) => isSeen(context, each, c));
      return c.json(objects.length === 0 ? {} : { objects: objects.map(describe) });
    });

    routes.post(`${BASE}/mkdirs`, async (c) => {
      const { path } = await readBody(c, ofPath);
      makeFolders(context, normalPath(path), c.get("principal"));
      return c.json({});
    });

    routes.post(`${BASE}/delete`, async (c) => {
      const body = await readBody(c, ofPath.extend({ recursive: z.boolean().default(false) }));
      const object = requireObject(context, normalPath(body.path));
      requireLevel(context, object, c.get("principal"), "CAN_MANAGE");
      if (!body.recursive && childrenOf(context, object.path).length > 0) {
        throw new Refusal("DIRECTORY_NOT_EMPTY", `Folder (${object.path}) is not empty.`);
      }
      removeObject(context, object);
      await context.workspaceFiles.removeAll(String(object.object_id));
      return c.json({});
    });
  },
};

type C = Context<WorkspaceEnv>;

function isSeen(context: WorkspaceContext, object: ObjectInfo, c: C): boolean {
  try {
    requireLevel(context, object, c.get("principal"), "CAN_READ");
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** JSON with base64, or a form with the bytes. */
async function readImport(c: C) {
  if (!(c.req.header("content-type") ?? "").startsWith("multipart/form-data")) {
    const body = await readBody(c, newContent);
    return { body, content: Buffer.from(body.content, "base64") };
  }
  const { content, ...fields } = await c.req.parseBody();
  const { success, data } = newContent.safeParse(fields);
  if (!success) throw new Refusal("INVALID_PARAMETER_VALUE", "The form lacks a path.");
  if (!(content instanceof File)) {
    throw new Refusal("INVALID_PARAMETER_VALUE", "The form lacks the content as a file.");
  }
  return { body: data, content: Buffer.from(await content.arrayBuffer()) };
}

/** The first line of a notebook in source form, by language. */
const NOTEBOOK_HEADER = /^(?:#|--|\/\/) Databricks notebook source/;
const EXTENSIONS: Readonly<Record<string, string>> = {
  ".py": "PYTHON",
  ".sql": "SQL",
  ".scala": "SCALA",
  ".r": "R",
};

type Import = {
  readonly path: string;
  readonly format: string;
  readonly language?: string | undefined;
};
type Kind = Pick<ObjectInfo, "path" | "object_type" | "language" | "format">;

/** @throws Refusal when the format is none, or lacks its language. */
function kindOf({ path, format, language }: Import, content: Buffer): Kind {
  const extension = /\.[a-z]+$/i.exec(path)?.[0].toLowerCase() ?? "";
  switch (format) {
    case "RAW":
      return { path, object_type: "FILE" };
    case "JUPYTER":
      requireJupyter(content);
      return { path, object_type: "NOTEBOOK", language: "PYTHON", format: "JUPYTER" };
    case "SOURCE":
      if (language === undefined) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          "The language of a notebook in format SOURCE must be given.",
        );
      }
      return { path, object_type: "NOTEBOOK", language, format: "SOURCE" };
    case "AUTO": {
      const named = path.slice(0, path.length - extension.length);
      if (extension === ".ipynb") {
        requireJupyter(content);
        return { path: named, object_type: "NOTEBOOK", language: "PYTHON", format: "JUPYTER" };
      }
      const known = EXTENSIONS[extension];
      const isNotebook = NOTEBOOK_HEADER.test(content.subarray(0, 64).toString("utf8"));
      return known !== undefined && isNotebook
        ? { path: named, object_type: "NOTEBOOK", language: known, format: "SOURCE" }
        : { path, object_type: "FILE" };
    }
    default:
      throw new Refusal(
        "NOT_IMPLEMENTED",
        `The local workspace imports ${FORMATS.join(", ")}, and not ${format}.`,
      );
  }
}

function requireJupyter(content: Buffer): void {
  try {
    const parsed: unknown = JSON.parse(content.toString("utf8"));
    if (typeof parsed === "object" && parsed !== null && "cells" in parsed) return;
  } catch {
    // Said below.
  }
  throw new Refusal("INVALID_PARAMETER_VALUE", "The content is no Jupyter notebook.");
}

/** @throws Refusal for folders, and for formats that the content would have to be turned into. */
export async function contentOf(
  context: WorkspaceContext,
  object: ObjectInfo,
  format: string,
): Promise<Buffer> {
  const own = object.object_type === "NOTEBOOK" ? object.format : "RAW";
  const fits = format === "AUTO" || format === own || object.object_type === "FILE";
  if (object.object_type === "DIRECTORY" || !fits) {
    throw new Refusal(
      "NOT_IMPLEMENTED",
      `The local workspace exports ${object.path} as ${own ?? "nothing"}, and not as ${format}.`,
    );
  }
  return readFile(context.workspaceFiles.locate(String(object.object_id)));
}

function fileType({ format, language }: ObjectInfo): string {
  if (format === "JUPYTER") return "ipynb";
  const [extension] = Object.entries(EXTENSIONS).find(([, each]) => each === language) ?? [];
  return extension?.slice(1) ?? "";
}

function describe({ format: _format, ...object }: ObjectInfo) {
  return object;
}
