/**
 * Where SQL alerts and jobs send their messages: Slack, a webhook, Teams, PagerDuty,
 * e-mail. Databricks never gives their secrets back, and only tells that there is one.
 * Admins alone may make and change them.
 *
 * Source: databricks-sdk-py 0.156.0, `NotificationDestinationsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";
import type { JsonAnswer } from "./read-answer.ts";
import { Secret } from "./secret.ts";

/** Exactly one kind. */
export type DestinationConfig =
  | {
      readonly slack: {
        readonly url?: string;
        readonly oauth_token?: string;
        readonly channel_id?: string;
      };
    }
  | {
      readonly generic_webhook: {
        readonly url: string;
        readonly username?: string;
        readonly password?: string;
      };
    }
  | { readonly microsoft_teams: { readonly url: string } }
  | { readonly pagerduty: { readonly integration_key: string } }
  | { readonly email: { readonly addresses: readonly string[] } };

export type DestinationInput = {
  readonly display_name: string;
  readonly config: DestinationConfig;
};

export type NotificationDestination = {
  readonly id: string;
  readonly displayName: string | null;
  /** `SLACK`, `WEBHOOK`, `MICROSOFT_TEAMS`, `PAGERDUTY` or `EMAIL`. */
  readonly type: string | null;
};

const permission = "Only an admin of the workspace may change notification destinations.";

export async function createNotificationDestination(
  client: DatabricksClient,
  destination: DestinationInput,
  limits: CallLimits = {},
): Promise<NotificationDestination> {
  const answer = await client.postJson(apiPath`/api/2.0/notification-destinations`, destination, {
    ...limits,
    purpose: `create notification destination "${destination.display_name}"`,
    permission,
    secrets: secretsOf(destination.config),
  });
  return readAnsweredDestination(answer);
}

export async function getNotificationDestination(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<NotificationDestination> {
  const answer = await client.getJson(apiPath`/api/2.0/notification-destinations/${id}`, {
    ...limits,
    purpose: `read notification destination ${id}`,
  });
  return readAnsweredDestination(answer);
}

export async function listNotificationDestinations(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<readonly NotificationDestination[]> {
  const entries = await readPages("results", (page) =>
    client.getJson(apiPath`/api/2.0/notification-destinations`, {
      ...limits,
      query: page,
      purpose: "list the notification destinations",
    }),
  );
  return recordsOf(entries)
    .map(readDestination)
    .filter((destination) => destination !== null);
}

export async function updateNotificationDestination(
  client: DatabricksClient,
  id: string,
  changes: Partial<DestinationInput>,
  limits: CallLimits = {},
): Promise<NotificationDestination> {
  const answer = await client.patchJson(
    apiPath`/api/2.0/notification-destinations/${id}`,
    changes,
    {
      ...limits,
      purpose: `change notification destination ${id}`,
      permission,
      isIdempotent: true,
      secrets: changes.config ? secretsOf(changes.config) : [],
    },
  );
  return readAnsweredDestination(answer);
}

export function deleteNotificationDestination(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(apiPath`/api/2.0/notification-destinations/${id}`, {
    ...limits,
    purpose: `delete notification destination ${id}`,
    permission,
  });
}

/** The address of a webhook is a password to it. */
function secretsOf(config: DestinationConfig): readonly Secret[] {
  return Object.values(config)
    .flatMap((fields: object) => Object.values(fields))
    .filter((value) => typeof value === "string")
    .map((value) => new Secret(value));
}

function readAnsweredDestination(answer: JsonAnswer): NotificationDestination {
  const record = recordOf(answer.json);
  const destination = record && readDestination(record);
  if (!destination) throw answer.unusable("is not a notification destination");
  return destination;
}

function readDestination(destination: JsonRecord): NotificationDestination | null {
  const id = textOf(destination.id);
  if (id === null) return null;
  return {
    id,
    displayName: textOf(destination.display_name),
    type: textOf(destination.destination_type),
  };
}
