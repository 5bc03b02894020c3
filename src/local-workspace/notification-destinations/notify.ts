/**
 * Sends a notification to a destination. Every one is written to
 * `notifications.ndjson` in the data directory, e-mails nowhere else. Only hosts on
 * loopback are contacted, and those that the workspace was told.
 *
 * The body for Slack, Teams and PagerDuty is as their own documents have it; that of
 * a generic webhook is assumed.
 */
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { WorkspaceContext } from "../core/context.ts";
import type { Destination } from "./destination.ts";

export type Notification = {
  readonly alertId: string;
  readonly alertName: string;
  readonly state: string;
  readonly subject: string;
  readonly body: string;
};

type Outcome = "sent" | "recorded" | `not sent: ${string}`;

const TIMEOUT_MS = 10_000;
const PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue";

export async function notify(
  context: WorkspaceContext,
  destination: Destination,
  notification: Notification,
): Promise<Outcome> {
  const outcome = await send(context, destination, notification);
  await record(context, {
    to: destination.kind === "email" ? destination.settings.addresses : destination.displayName,
    kind: destination.kind,
    ...notification,
    outcome,
  });
  return outcome;
}

/** To one user by e-mail: written down, as there is no mail server. */
export async function notifyByEmail(
  context: WorkspaceContext,
  address: string,
  notification: Notification,
): Promise<Outcome> {
  await record(context, { to: [address], kind: "email", ...notification, outcome: "recorded" });
  return "recorded";
}

async function record(
  { dataDirectory, clock }: WorkspaceContext,
  entry: Readonly<Record<string, unknown>>,
): Promise<void> {
  const line = JSON.stringify({ time: new Date(clock.now()).toISOString(), ...entry });
  await appendFile(join(dataDirectory, "notifications.ndjson"), `${line}\n`);
}

async function send(
  { behaviour, lifetime }: WorkspaceContext,
  destination: Destination,
  notification: Notification,
): Promise<Outcome> {
  if (destination.kind === "email") return "recorded";
  const { url, body, headers } = requestOf(destination, notification);
  if (!URL.canParse(url)) return "not sent: its address is no URL";
  const { hostname, protocol } = new URL(url);
  const isWeb = protocol === "http:" || protocol === "https:";
  if (!isWeb || !(isLoopback(hostname) || behaviour.notificationHosts.has(hostname))) {
    return `not sent: the local workspace contacts loopback and the hosts it was told, not ${hostname}`;
  }
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      redirect: "manual",
      signal: AbortSignal.any([lifetime.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    return response.ok ? "sent" : `not sent: ${hostname} answered ${response.status}`;
  } catch (error) {
    // The address may hold a secret, and so may the error's text.
    return `not sent: ${hostname} does not answer (${error instanceof Error ? error.name : "error"})`;
  }
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

type Request = {
  readonly url: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

function requestOf({ kind, settings }: Destination, notification: Notification): Request {
  const url = String(settings.url ?? "");
  const { subject, body, alertId, alertName, state } = notification;
  switch (kind) {
    case "slack":
      return { url, body: { text: `${subject}\n${body}` } };
    case "microsoft_teams":
      return {
        url,
        body: {
          "@type": "MessageCard",
          "@context": "https://schema.org/extensions",
          summary: subject,
          title: subject,
          text: body,
        },
      };
    case "pagerduty":
      return {
        url: PAGERDUTY_URL,
        body: {
          routing_key: settings.integration_key,
          event_action: state === "OK" ? "resolve" : "trigger",
          dedup_key: alertId,
          payload: { summary: subject, source: alertName, severity: "error" },
        },
      };
    default: {
      const { username, password } = settings;
      const basic = Buffer.from(`${username ?? ""}:${password ?? ""}`).toString("base64");
      return {
        url,
        body: {
          event: "alert_state_change",
          alert: { id: alertId, name: alertName, state, subject, body },
        },
        headers: username || password ? { authorization: `Basic ${basic}` } : {},
      };
    }
  }
}
