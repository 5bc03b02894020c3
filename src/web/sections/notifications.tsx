/** The messages that were really sent, as their channel shows them, with what became of each. */
import type { NotificationRow, Status } from "../api.ts";
import { Mrkdwn } from "../elements/rich-text.tsx";
import { State } from "../elements/state.tsx";
import { formatClockSeconds, formatMoment } from "../format.ts";

const STATUS: Record<NotificationRow["state"], Status> = {
  sent: "healthy",
  failed: "critical",
  waiting: "unknown",
};

type Props = { notifications: readonly NotificationRow[]; nowMs: number };

export function NotificationList({ notifications, nowMs }: Props) {
  return (
    <ul class="notifications">
      {notifications.map((notification) => (
        <li
          key={notification.id}
          class="notification"
          data-testid="notification"
          data-state={notification.state}
        >
          <svg
            class="notification-face"
            viewBox="0 0 32 32"
            width="32"
            height="32"
            aria-hidden="true"
          >
            <rect width="32" height="32" rx="6" />
            <path d="M6 17h5l3-8 4 14 3-6h5" />
          </svg>
          <div class="notification-body">
            <p class="notification-from">
              <strong>dspy-databricks</strong> <span class="tag">app</span>{" "}
              <time class="quiet" title={formatClockSeconds(notification.timeMs)}>
                {formatMoment(notification.timeMs, nowMs)}
              </time>
            </p>
            <div class="mrkdwn">
              <Mrkdwn text={notification.text} />
            </div>
            <p class="notification-fate">
              <State status={STATUS[notification.state]} word={fateOf(notification)} />
              {notification.problem && <span>{notification.problem}</span>}
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}

const CHANNEL_NAMES: Readonly<Record<string, string>> = { slack: "Slack" };

function fateOf({ state, channel: kind, attempts }: NotificationRow): string {
  const channel = CHANNEL_NAMES[kind] ?? kind;
  const tries = attempts === 1 ? "" : `, ${attempts} attempts`;
  switch (state) {
    case "sent":
      return `sent to ${channel}${tries}`;
    case "failed":
      return `not sent to ${channel}${tries}`;
    case "waiting":
      return `waiting for ${channel}${tries}`;
  }
}
