/**
 * What people set for the alerts of single agents, as files in a monitor's data directory:
 * one for each agent, so that two who set something at once don't undo each other's. A
 * monitor that runs there follows them; without one they wait for the next.
 *
 * A webhook's address stands in a file of its own that only this user can read, and
 * nowhere else; the settings say where it is.
 */

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../make-directory.ts";
import { MonitorError } from "../monitor-error.ts";
import { type AlertThresholds, readAlertThresholds } from "../rules/alert-thresholds.ts";
import { fileNameOf, fingerprintOf, namesIn, replaceFile } from "./settings-files.ts";

export type AlertSettings = {
  readonly endpointName: string;
  readonly thresholds: AlertThresholds;
  /** `kept`: its address is in the data directory; else a reference as in `agent.yaml`; `null`: none. */
  readonly webhook: WebhookPlace | null;
};

export type WebhookPlace =
  | { readonly kind: "kept" }
  | { readonly kind: "reference"; readonly reference: string };

/** As it is given: the address itself, or where it is. */
export type GivenWebhook =
  | { readonly kind: "address"; readonly address: string }
  | { readonly kind: "reference"; readonly reference: string };

/** What is to be set. */
export type GivenSettings = Omit<AlertSettings, "webhook"> & {
  readonly webhook: GivenWebhook | null;
};

export type SettingsFile = {
  readonly name: string;
  /** `null` where it can't be read. */
  readonly settings: AlertSettings | null;
  /** Why, in words that may be shown; `null` where that is not known. */
  readonly problem: string | null;
};

/** Agents of one monitor that may have settings of their own; what is beyond is not read. */
export const SETTINGS_MAX = 1_000;
/** Longest file that is read; ours have some hundred bytes. */
const FILE_MAX_BYTES = 64 * 1024;
/** Of the files. */
const SETTINGS_FORMAT = 1;
const SETTINGS_EXTENSION = ".json";
const WEBHOOK_EXTENSION = ".webhook";
const EXTENSIONS = [SETTINGS_EXTENSION, WEBHOOK_EXTENSION];

const folderOf = (dataDirectory: string) => join(dataDirectory, "alerts");

/**
 * Puts them in place of those that were there.
 *
 * @throws MonitorError `DATA_DIR_UNWRITABLE`.
 */
export async function writeAlertSettings(
  dataDirectory: string,
  { endpointName, thresholds, webhook }: GivenSettings,
): Promise<void> {
  const folder = folderOf(dataDirectory);
  const path = join(folder, fileNameOf(endpointName));
  const place: WebhookPlace | null = webhook?.kind === "address" ? { kind: "kept" } : webhook;
  const settings: AlertSettings = { endpointName, thresholds, webhook: place };
  try {
    makeDirectory(folder, { mode: 0o700 });
    // The address first: settings never name one that is not there.
    if (webhook?.kind === "address") {
      await replaceFile(`${path}${WEBHOOK_EXTENSION}`, `${webhook.address}\n`);
    }
    await replaceFile(
      `${path}${SETTINGS_EXTENSION}`,
      `${JSON.stringify({ version: SETTINGS_FORMAT, ...settings }, null, 2)}\n`,
    );
    if (webhook?.kind !== "address") await rm(`${path}${WEBHOOK_EXTENSION}`, { force: true });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new MonitorError(
      "DATA_DIR_UNWRITABLE",
      `the alerts of ${endpointName} could not be kept in ${folder}${code}`,
      {
        hint: "Name another data directory with --data-dir, or dataDir in a program.",
        cause: error,
      },
    );
  }
}

/** What writing them would do. */
export async function compareAlertSettings(
  dataDirectory: string,
  { endpointName, thresholds, webhook }: GivenSettings,
): Promise<"create" | "update" | "keep"> {
  const there = await readAlertSettings(dataDirectory, endpointName);
  if (there === null) return "create";
  const isSame =
    JSON.stringify(there.thresholds) === JSON.stringify(thresholds) &&
    (await isWebhook(dataDirectory, there, webhook));
  return isSame ? "keep" : "update";
}

async function isWebhook(
  dataDirectory: string,
  { endpointName, webhook: there }: AlertSettings,
  given: GivenWebhook | null,
): Promise<boolean> {
  if (there === null || given === null) return there === given;
  if (there.kind === "reference") {
    return given.kind === "reference" && given.reference === there.reference;
  }
  const kept = await readKeptWebhook(dataDirectory, endpointName).catch(() => null);
  return given.kind === "address" && given.address === kept;
}

/** `null` where nothing was set. @throws MonitorError `CONFIG_INVALID` when the file makes no sense. */
export async function readAlertSettings(
  dataDirectory: string,
  endpointName: string,
): Promise<AlertSettings | null> {
  const path = join(folderOf(dataDirectory), `${fileNameOf(endpointName)}${SETTINGS_EXTENSION}`);
  try {
    return parseSettings(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof MonitorError) throw error;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw new MonitorError("CONFIG_INVALID", `${path} is not as it was written`, {
      hint: "Delete the file and set the alerts again.",
      cause: error,
    });
  }
}

/** Of every agent, by the names of the files. */
export async function readAllAlertSettings(
  dataDirectory: string,
): Promise<readonly SettingsFile[]> {
  const names = (await namesIn(folderOf(dataDirectory), [SETTINGS_EXTENSION])).slice(
    0,
    SETTINGS_MAX,
  );
  return Promise.all(
    names.map(async (name) => {
      try {
        const text = await readFile(join(folderOf(dataDirectory), name), "utf8");
        return { name, settings: parseSettings(text), problem: null };
      } catch (error) {
        return {
          name,
          settings: null,
          problem: error instanceof MonitorError ? error.message : null,
        };
      }
    }),
  );
}

/** The address that is kept here. @throws Error when it can't be read. */
export async function readKeptWebhook(
  dataDirectory: string,
  endpointName: string,
): Promise<string> {
  const path = join(folderOf(dataDirectory), `${fileNameOf(endpointName)}${WEBHOOK_EXTENSION}`);
  return (await readFile(path, "utf8")).trim();
}

/** Changes whenever any of the files does. */
export function settingsFingerprint(dataDirectory: string): Promise<string> {
  return fingerprintOf(folderOf(dataDirectory), EXTENSIONS);
}

/** @throws Error when the text is none that was written here; MonitorError when a newer version wrote it. */
function parseSettings(text: string): AlertSettings {
  if (text.length > FILE_MAX_BYTES) throw new Error("too long");
  const { version, endpointName, thresholds, webhook }: Record<string, unknown> = JSON.parse(text);
  if (typeof version === "number" && version > SETTINGS_FORMAT) {
    throw new MonitorError(
      "CONFIG_INVALID",
      `the alerts of ${String(endpointName)} were set by a newer version (format ${version}; this one knows ${SETTINGS_FORMAT})`,
      { hint: "Update dspy-databricks-agents here, or set the alerts again with this version." },
    );
  }
  if (version !== SETTINGS_FORMAT) throw new Error("of no version");
  if (typeof endpointName !== "string" || endpointName === "") throw new Error("no endpoint");
  if (typeof thresholds !== "object" || thresholds === null) throw new Error("no thresholds");
  return {
    endpointName,
    thresholds: readAlertThresholds(thresholds),
    webhook: parsePlace(webhook),
  };
}

function parsePlace(place: unknown): WebhookPlace | null {
  if (typeof place !== "object" || place === null) return null;
  const { kind, reference }: { kind?: unknown; reference?: unknown } = place;
  if (kind === "kept") return { kind };
  if (kind === "reference" && typeof reference === "string") return { kind, reference };
  throw new Error("no place of a webhook");
}
