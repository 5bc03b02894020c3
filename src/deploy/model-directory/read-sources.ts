/** Reads what a model is made of: the agent's own files, and what this package adds to them. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentConfig } from "../../config/agent-config.ts";
import { snakeOf } from "../../config/camel-keys.ts";
import { MonitorError } from "../../monitor-error.ts";
import { importsOf, placesOf } from "./imported-files.ts";
import type { ModelSources } from "./model-directory.ts";

/** Model Serving takes more, but an agent of that size holds files by mistake. */
const FILES_MAX = 500;
const BYTES_MAX = 50 * 1024 * 1024;

/** In a checkout and in the package it stands at the same depth. */
const python = new URL("../../../python/", import.meta.url);

type CodeModel = Extract<AgentConfig["model"], { readonly code: string }>;

/** @throws MonitorError `CONFIG_INVALID` when a file is missing or can't belong to a model. */
export async function readSources(config: AgentConfig, model: CodeModel): Promise<ModelSources> {
  const folder = dirname(config.file);
  const codeFile = join(folder, model.code);
  const module = basename(model.code).replace(/\.py$/, "");
  if (!/^[A-Za-z_]\w*\.py$/.test(basename(model.code))) {
    throw invalid(
      config,
      `model.code ${model.code} is not a Python module`,
      "Name the file so that Python can import it, such as agent.py.",
    );
  }
  const code = await readCode({ config, root: dirname(codeFile), entry: basename(codeFile) });
  for (const file of model.files) await addFiles(join(folder, file), file);
  checkSize();
  return {
    module,
    code,
    program:
      model.program === undefined ? null : await read(join(folder, model.program), "model.program"),
    requirements: model.requirements,
    lm: lmArguments(model.lm),
    servingCode: await readFile(new URL("serving/python_model.py", python)),
    telemetryPackage: await readTelemetryPackage(),
  };

  async function addFiles(path: string, told: string): Promise<void> {
    const place = relative(dirname(codeFile), path).replaceAll("\\", "/");
    if (place.startsWith("..")) {
      throw invalid(
        config,
        `model.files ${told} stands outside the folder of ${model.code}`,
        "move it beside the code, where Python finds it when it is served",
      );
    }
    const found = await stat(path).catch((error: unknown) => {
      throw missing(config, `model.files ${told}`, error);
    });
    if (!found.isDirectory()) {
      code.set(place, await read(path, `model.files ${told}`));
      checkSize();
      return;
    }
    const names = await readdir(path);
    for (const name of names.filter((one) => !/^\.|^__pycache__$/.test(one)).sort()) {
      await addFiles(join(path, name), `${told}/${name}`);
    }
  }

  function checkSize(): void {
    const bytes = [...code.values()].reduce((sum, file) => sum + file.byteLength, 0);
    if (code.size > FILES_MAX || bytes > BYTES_MAX) {
      throw invalid(
        config,
        `the agent's code has ${code.size} files of ${bytes} bytes, more than ${FILES_MAX} files or ${BYTES_MAX} bytes`,
        "Name in model.files only what the agent reads; data belongs into a volume or an index.",
      );
    }
  }

  async function read(path: string, what: string): Promise<Uint8Array> {
    try {
      return await readFile(path);
    } catch (error) {
      throw missing(config, what, error);
    }
  }
}

/** The file and what its imports lead to, by path from its folder. */
async function readCode({
  config,
  root,
  entry,
}: {
  readonly config: AgentConfig;
  readonly root: string;
  readonly entry: string;
}): Promise<Map<string, Uint8Array>> {
  const code = new Map<string, Uint8Array>();
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (code.has(file)) continue;
    let bytes: Uint8Array;
    try {
      bytes = await readFile(join(root, file));
    } catch (error) {
      // Whatever an import names and is not there is installed, or Python will say so.
      if (file !== entry) continue;
      throw missing(config, `model.code ${file}`, error);
    }
    code.set(file, bytes);
    if (code.size > FILES_MAX) break;
    for (const module of importsOf(new TextDecoder().decode(bytes))) {
      open.push(...placesOf(module, file));
    }
  }
  return code;
}

async function readTelemetryPackage(): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = new URL("src/dspy_databricks_agents/", python);
  const names = (await readdir(fileURLToPath(folder))).filter((name) => /\.py$/.test(name));
  const files = names.sort().map(async (name) => {
    return [`dspy_databricks_agents/${name}`, await readFile(new URL(name, folder))] as const;
  });
  return new Map(await Promise.all(files));
}

function lmArguments(lm: CodeModel["lm"]): ModelSources["lm"] {
  if (lm === undefined) return null;
  const { timeoutSeconds, ...others } = lm;
  const entries = Object.entries(others).map(([key, value]) => [snakeOf(key), value]);
  return {
    ...Object.fromEntries(entries),
    ...(timeoutSeconds === undefined ? {} : { timeout: timeoutSeconds }),
  };
}

function missing({ file }: AgentConfig, what: string, cause: unknown): MonitorError {
  const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
  return new MonitorError("CONFIG_INVALID", `${file}: ${what} could not be read${code}`, {
    hint: "Paths start from the folder of agent.yaml; check that the file is there and may be read.",
    cause,
  });
}

function invalid({ file }: AgentConfig, what: string, hint: string): MonitorError {
  return new MonitorError("CONFIG_INVALID", `${file}: ${what}`, { hint });
}
