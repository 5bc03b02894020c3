/** The data directory of the monitor: whether it can be written, what is set in it, and who may read it. */
import { access, constants, stat, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { readAllAlertSettings } from "../monitor-client/alert-settings.ts";
import { MonitorError } from "../monitor-error.ts";
import { type Check, failed, ok, skipped, warning } from "./check.ts";

const MIB = 1024 * 1024;
/** A journal may take 256 MiB, and a history some more. */
const SPACE_WANTED_BYTES = 1024 * MIB;
const SPACE_NEEDED_BYTES = 64 * MIB;

export function dataDirectoryCheck(directory: string): Check {
  return {
    name: "data directory",
    async run() {
      const { path: there, isDirectory } = await nearestThere(resolve(directory));
      if (!isDirectory)
        return failed(`${there} is a file.`, "name another directory with --data-dir");
      const isNew = there !== resolve(directory);
      try {
        await access(there, constants.W_OK | constants.X_OK);
      } catch {
        return failed(
          `${there} can't be written by this user.`,
          `sudo chown -R "$(id -un)" '${there}', or another directory with --data-dir`,
        );
      }
      const { bavail, bsize } = await statfs(there);
      const freeBytes = Number(bavail) * Number(bsize);
      const evidence = `${directory} ${isNew ? "will be made" : "can be written"}; ${Math.floor(freeBytes / MIB)} MiB are free.`;
      if (freeBytes < SPACE_NEEDED_BYTES) {
        return failed(evidence, "make room on the disk: without it no telemetry is taken");
      }
      return freeBytes < SPACE_WANTED_BYTES
        ? warning(evidence, "make room on the disk, or name another directory with --data-dir")
        : ok(evidence);
    },
  };
}

async function nearestThere(
  path: string,
): Promise<{ readonly path: string; readonly isDirectory: boolean }> {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { path: at, isDirectory: (await stat(at)).isDirectory() };
    } catch {
      // Not there, or a file in its place further up.
      if (dirname(at) === at) return { path: at, isDirectory: false };
    }
  }
}

/** @param readWebhook throws MonitorError where it can't. */
export function alertSettingsCheck(
  directory: string,
  readWebhook: (reference: string) => Promise<string>,
): Check {
  return {
    name: "alerts of agents",
    async run() {
      const files = await readAllAlertSettings(directory);
      if (files.length === 0) {
        return skipped(
          "No agent has thresholds of its own; the built-in ones count.",
          "npx dspy-databricks alerts apply agent.yaml",
        );
      }
      const broken = files.filter(({ settings }) => settings === null);
      if (broken.length > 0) {
        const names = broken.map(({ name }) => join(directory, "alerts", name));
        return failed(`Not as it was written: ${names.join(", ")}.`, `rm '${names[0]}'`);
      }
      for (const { settings } of files) {
        if (settings === null || settings.webhook === null) continue;
        const { endpointName, webhook } = settings;
        if (webhook.kind === "kept") {
          const path = join(directory, "alerts", `${encodeURIComponent(endpointName)}.webhook`);
          const about = await stat(path).catch(() => null);
          if (about === null) {
            return warning(
              `The webhook of ${endpointName} is gone.`,
              "set it again with configureAlerts",
            );
          }
          if ((about.mode & 0o077) !== 0) {
            return warning(
              `${path} holds a webhook, and others may read it.`,
              `chmod 600 '${path}'`,
            );
          }
          continue;
        }
        try {
          await readWebhook(webhook.reference);
        } catch (error) {
          if (!(error instanceof MonitorError)) throw error;
          return warning(`Nobody is told of ${endpointName}: ${error.message}.`, error.hint);
        }
      }
      return ok(`${files.length} agents have thresholds of their own.`);
    },
  };
}
