/**
 * Follows what people set for the alerts of single agents while a monitor runs: looks at
 * the files every few seconds and turns them into rules and channels. A file that makes no
 * sense is told once; what was set before it goes on counting.
 */
import type { Clock } from "../clock.ts";
import { MonitorError } from "../monitor-error.ts";
import type { Channel } from "../notify/channel.ts";
import { monitorRules } from "../rules/alert-thresholds.ts";
import type { Rule } from "../rules/rule.ts";
import {
  type AlertSettings,
  readAllAlertSettings,
  readKeptWebhook,
  type SettingsFile,
  settingsFingerprint,
} from "./alert-settings.ts";

/** How long a change takes at most to count. */
export const SETTINGS_INTERVAL_MS = 2_000;
/** A webhook that could not be read is looked for again after so long. */
const WEBHOOK_RETRY_MS = 60_000;

export type OwnAlerts = {
  readonly rules: readonly Rule[];
  /** By endpoint. */
  readonly channels: ReadonlyMap<string, Channel>;
};

export type FollowOptions = {
  readonly dataDirectory: string;
  readonly clock: Clock;
  /** The address behind `env:`, `file:` or `{{secrets/…}}`. What it throws is shown, so it names no address. */
  readonly readWebhook: (reference: string) => Promise<string>;
  /** @throws MonitorError when nobody can be told at such an address. */
  readonly channelTo: (webhookUrl: string) => Channel;
  readonly onNotice: (notice: string) => void;
};

export type FollowedSettings = {
  /** What counts at the start. */
  readonly own: OwnAlerts;
  /** Called with what counts from then on, whenever it changed. */
  follow(onChange: (own: OwnAlerts) => void): void;
  close(): Promise<void>;
};

type Kept = { readonly url: string; readonly channel: Channel };

export async function followAlertSettings(options: FollowOptions): Promise<FollowedSettings> {
  const { dataDirectory, clock, onNotice } = options;
  const known = new Map<string, AlertSettings>();
  const channels = new Map<string, Kept>();
  const told = new Set<string>();
  let seen: string | null = null;
  let retryAtMs = Number.POSITIVE_INFINITY;
  let looking: Promise<void> = Promise.resolve();
  let isLooking = false;
  let stop = () => {};

  function tellOnce(notice: string): void {
    if (told.has(notice)) return;
    told.add(notice);
    onNotice(notice);
  }

  function take(files: readonly SettingsFile[]): void {
    const names = new Set(files.map(({ name }) => name));
    for (const name of known.keys()) if (!names.has(name)) known.delete(name);
    for (const { name, settings, problem } of files) {
      if (settings) known.set(name, settings);
      else if (problem !== null)
        tellOnce(`alerts/${name} in the data directory changes nothing: ${problem}.`);
      else tellOnce(`alerts/${name} in the data directory makes no sense, so it changes nothing.`);
    }
  }

  async function findChannels(): Promise<void> {
    retryAtMs = Number.POSITIVE_INFINITY;
    const endpoints = new Set<string>();
    for (const { endpointName, webhook } of known.values()) {
      if (webhook === null) continue;
      endpoints.add(endpointName);
      try {
        const url =
          webhook.kind === "kept"
            ? await readKeptWebhook(dataDirectory, endpointName)
            : await options.readWebhook(webhook.reference);
        if (channels.get(endpointName)?.url === url) continue;
        channels.set(endpointName, { url, channel: options.channelTo(url) });
      } catch (error) {
        retryAtMs = clock.now() + WEBHOOK_RETRY_MS;
        channels.delete(endpointName);
        const why = error instanceof MonitorError ? `: ${error.message}` : "";
        tellOnce(`The webhook of ${endpointName} can't be used${why}.`);
      }
    }
    for (const endpoint of channels.keys()) if (!endpoints.has(endpoint)) channels.delete(endpoint);
  }

  /** Whether anything may have changed. */
  async function look(): Promise<boolean> {
    const now = await settingsFingerprint(dataDirectory);
    const isChanged = now !== seen;
    if (!isChanged && clock.now() < retryAtMs) return false;
    if (isChanged) take(await readAllAlertSettings(dataDirectory));
    seen = now;
    await findChannels();
    return true;
  }

  function current(): OwnAlerts {
    const settings = [...known.values()];
    return {
      rules: settings.flatMap(({ endpointName, thresholds }) =>
        monitorRules(endpointName, thresholds),
      ),
      channels: new Map(Array.from(channels, ([endpoint, { channel }]) => [endpoint, channel])),
    };
  }

  await look();
  return {
    own: current(),
    follow(onChange) {
      stop = clock.every(SETTINGS_INTERVAL_MS, () => {
        if (isLooking) return;
        isLooking = true;
        looking = look()
          .then((isChanged) => {
            if (isChanged) onChange(current());
          })
          .catch((error: unknown) => {
            const code =
              error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
            tellOnce(`The alerts that are set for agents can't be read${code}.`);
          })
          .finally(() => {
            isLooking = false;
          });
      });
    },
    async close() {
      stop();
      await looking;
    },
  };
}
