/**
 * Whom Databricks tells of an agent's SQL alerts: a notification destination that holds
 * the webhook's address, which Databricks never gives back. By its name can be seen
 * whether it is still the same address, and nothing else of it.
 */
import { createHash } from "node:crypto";
import type { DatabricksClient } from "../databricks/client.ts";
import {
  createNotificationDestination,
  type DestinationConfig,
  listNotificationDestinations,
  updateNotificationDestination,
} from "../databricks/notification-destinations.ts";

export type ChannelKind = "slack" | "microsoft_teams" | "webhook";

export type PublishedDestination = {
  readonly id: string;
  readonly kind: ChannelKind;
  readonly isNew: boolean;
};

const FINGERPRINT_DIGITS = 8;

/** A fingerprint of the address stands behind it. */
export const destinationName = (endpointName: string) => `dspy-databricks ${endpointName}`;

/** What the address is one of. */
export function channelKindOf(webhookUrl: string): ChannelKind {
  const { hostname, pathname } = new URL(webhookUrl);
  if (hostname === "hooks.slack.com" || pathname.startsWith("/services/")) return "slack";
  if (hostname.endsWith(".webhook.office.com")) return "microsoft_teams";
  return "webhook";
}

/** What of the address keeps a monitor from telling it, though Databricks can. */
export function monitorWarnings(webhookUrl: string | null): readonly string[] {
  return webhookUrl !== null && channelKindOf(webhookUrl) === "microsoft_teams"
    ? [
        "The monitor tells Slack, and what takes Slack's messages; Teams is told by the SQL alerts only.",
      ]
    : [];
}

/** @throws DatabricksError `DATABRICKS_FORBIDDEN` unless the identity is an admin of the workspace. */
export async function publishDestination(
  client: DatabricksClient,
  { endpointName, webhookUrl }: { readonly endpointName: string; readonly webhookUrl: string },
): Promise<PublishedDestination> {
  const kind = channelKindOf(webhookUrl);
  const name = destinationName(endpointName);
  const displayName = `${name} (${fingerprint(webhookUrl)})`;
  const all = await listNotificationDestinations(client);
  const same = all.find((one) => one.displayName === displayName);
  if (same) return { id: same.id, kind, isNew: false };
  const config = configOf(kind, webhookUrl);
  const before = all.find((one) => one.displayName?.startsWith(`${name} (`));
  const { id } = before
    ? await updateNotificationDestination(client, before.id, { display_name: displayName, config })
    : await createNotificationDestination(client, { display_name: displayName, config });
  return { id, kind, isNew: true };
}

function configOf(kind: ChannelKind, url: string): DestinationConfig {
  switch (kind) {
    case "slack":
      return { slack: { url } };
    case "microsoft_teams":
      return { microsoft_teams: { url } };
    case "webhook":
      return { generic_webhook: { url } };
  }
}

/** Too short to tell anything of an address, long enough to tell two apart. */
function fingerprint(url: string): string {
  return createHash("sha256").update(url).digest("hex").slice(0, FINGERPRINT_DIGITS);
}
