/**
 * Where notifications go: one of five kinds. What is secret in a destination is
 * kept, and told to nobody: a read says only that it is set.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/settings.py`.
 */
import { z } from "zod";

const slack = z.looseObject({
  url: z.string().optional(),
  oauth_token: z.string().optional(),
  channel_id: z.string().optional(),
});
const genericWebhook = z.looseObject({
  url: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
});
const microsoftTeams = z.looseObject({
  url: z.string().optional(),
  app_id: z.string().optional(),
  auth_secret: z.string().optional(),
  channel_url: z.string().optional(),
  tenant_id: z.string().optional(),
});
const pagerduty = z.looseObject({ integration_key: z.string().optional() });
const email = z.looseObject({ addresses: z.array(z.string()).optional() });

const kinds = {
  slack: { schema: slack, type: "SLACK", required: "url" },
  generic_webhook: { schema: genericWebhook, type: "WEBHOOK", required: "url" },
  microsoft_teams: { schema: microsoftTeams, type: "MICROSOFT_TEAMS", required: "url" },
  pagerduty: { schema: pagerduty, type: "PAGERDUTY", required: "integration_key" },
  email: { schema: email, type: "EMAIL", required: "addresses" },
} as const;

export type DestinationKind = keyof typeof kinds;

export const destinationConfig = z
  .looseObject({
    slack: slack.optional(),
    generic_webhook: genericWebhook.optional(),
    microsoft_teams: microsoftTeams.optional(),
    pagerduty: pagerduty.optional(),
    email: email.optional(),
  })
  .refine((config) => kindsIn(config).length === 1, {
    message: `exactly one of ${Object.keys(kinds).join(", ")} is needed`,
  });

export type Destination = {
  readonly id: string;
  readonly displayName: string;
  readonly kind: DestinationKind;
  readonly settings: Readonly<Record<string, unknown>>;
};

export function kindsIn(config: Readonly<Record<string, unknown>>): DestinationKind[] {
  const names = Object.keys(kinds) as DestinationKind[];
  return names.filter((name) => config[name] !== undefined);
}

/** The setting without which nothing can be sent there; `null` when it is set. */
export function missingSetting({ kind, settings }: Destination): string | null {
  const { required } = kinds[kind];
  const value = settings[required];
  const isSet = Array.isArray(value) ? value.length > 0 : typeof value === "string" && value !== "";
  return isSet || (kind === "slack" && settings.oauth_token) ? null : `config.${kind}.${required}`;
}

export function typeOf(kind: DestinationKind): string {
  return kinds[kind].type;
}

/** For a reader: e-mail addresses, and of everything else whether it is set. */
export function withoutSecrets({ kind, settings }: Destination): Record<string, unknown> {
  if (kind === "email") return { email: settings };
  const told = Object.entries(settings)
    .filter(([key, value]) => !key.endsWith("_set") && value !== undefined && value !== "")
    .map(([key]) => [`${key}_set`, true]);
  return { [kind]: Object.fromEntries(told) };
}
