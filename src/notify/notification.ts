/** One message on its way to one channel. Plain data: an outbox keeps it as JSON until it was sent. */
import type { Message } from "./message.ts";

export type ChannelKind = "slack";

export type Notification = {
  /** `<alert change id>@<channel>`. The same on every attempt and after a restart. */
  readonly id: string;
  readonly alertChangeId: string;
  readonly channel: ChannelKind;
  /** `null`: it is about the workspace. */
  readonly endpoint: string | null;
  readonly timeMs: number;
  /** The message as the channel shows it, for the page: in Slack's mrkdwn. */
  readonly text: string;
  readonly message: Message;
};
