/**
 * Builds the page into `dist/web`, unless it is newer than all that it is made of.
 * Says nothing when all is well, since `npm start` runs it first; when it fails,
 * one line says why.
 */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";

const ROOT = path.resolve(import.meta.dirname, "..");
const PAGE = path.join(ROOT, "dist/web/index.html");
const MADE_OF = ["src/web", "vite.config.ts", "package-lock.json"];

if (!isFresh()) {
  try {
    const { build } = await import("vite");
    await build({ configFile: path.join(ROOT, "vite.config.ts"), logLevel: "silent" });
  } catch (error) {
    process.stderr.write(`The page was not built: ${inOneLine(error)}\n`);
    process.exitCode = 1;
  }
}

/** The bundler draws a picture of the place; its first lines hold what happened and where. */
function inOneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const lines = stripVTControlCharacters(message)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.slice(0, 3).join(" ");
}

function isFresh(): boolean {
  const builtMs = statSync(PAGE, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return MADE_OF.every((source) => newestMs(path.join(ROOT, source)) < builtMs);
}

/** A folder counts too: its time changes when a file in it is deleted. */
function newestMs(file: string): number {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  const inside = readdirSync(file).map((name) => newestMs(path.join(file, name)));
  return Math.max(stat.mtimeMs, ...inside);
}
