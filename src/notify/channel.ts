/** A way to tell people. Each channel is a folder; `channel-contract.ts` is the test that all of them pass. */
import type { Message } from "./message.ts";
import type { ChannelKind } from "./notification.ts";

/**
 * `retry`: the same message may be sent again later. `refused`: it will never be
 * taken, so nobody should try. A reason is for people and holds no secret.
 */
export type SendResult =
  | { readonly kind: "sent" }
  | { readonly kind: "retry"; readonly reason: string; readonly retryAfterMs?: number }
  | { readonly kind: "refused"; readonly reason: string };

export type Channel = {
  readonly kind: ChannelKind;
  /** The message as the channel shows it. */
  preview(message: Message): string;
  /** Never throws and never rejects. `signal` ends the attempt, as a `retry`. */
  send(message: Message, signal: AbortSignal): Promise<SendResult>;
};
