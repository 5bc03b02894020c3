/**
 * Turns a step of an alert into a message, or into none: people are told that an
 * alert fires and that it is over, not that it might fire soon. Pure.
 */
import type { AlertChange } from "../signals/alert.ts";
import type { Channel } from "./channel.ts";
import type { Message } from "./message.ts";
import type { Notification } from "./notification.ts";

/** Characters of a headline; what is longer goes on in the detail. */
const HEADLINE_MAX_CHARS = 150;

export function compose(change: AlertChange, pageUrl: string | null): Message | null {
  const { id, endpoint, ruleId, timeMs, to } = change;
  if (to !== "firing" && to !== "resolved") return null;
  return { id, state: to, endpoint, ruleId, timeMs, pageUrl, ...split(change.reason) };
}

/** The message addressed to one channel, ready for the outbox. */
export function composeNotification(
  change: AlertChange,
  {
    channel,
    pageUrl,
  }: { readonly channel: Pick<Channel, "kind" | "preview">; readonly pageUrl: string | null },
): Notification | null {
  const message = compose(change, pageUrl);
  if (message === null) return null;
  const { endpoint, timeMs } = change;
  const id = `${change.id}@${channel.kind}`;
  return {
    id,
    alertChangeId: change.id,
    channel: channel.kind,
    endpoint,
    timeMs,
    text: channel.preview({ ...message, id }),
    message: { ...message, id },
  };
}

/** One message instead of two that are both old news: the alert fired and is over. */
export function summarise(firing: Notification, resolved: Notification): Message {
  const { message: was } = firing;
  const { message: is } = resolved;
  return {
    ...is,
    state: "fired and resolved",
    headline: is.headline,
    detail: [
      is.detail,
      `It could not be told in time. When it fired: ${was.headline}${was.detail === "" ? "." : `: ${was.detail}`}`,
    ]
      .filter((text) => text !== "")
      .join("\n"),
  };
}

/** `support-agent is slow: p99 is …` → headline and detail. */
function split(reason: string): Pick<Message, "headline" | "detail"> {
  const [, headline = reason, detail = ""] = /^(.*?)(?:: |(?<=\.) )(.*)$/s.exec(reason) ?? [];
  return headline.length <= HEADLINE_MAX_CHARS
    ? { headline, detail }
    : { headline: `${headline.slice(0, HEADLINE_MAX_CHARS)}…`, detail: reason };
}
