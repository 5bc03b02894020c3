/**
 * Which channel tells of what: an endpoint that has a channel of its own is told there,
 * all else goes to the monitor's. Each channel has a queue of its own, so that one that
 * is away holds up no other.
 */
import type { Clock } from "../clock.ts";
import type { Channel } from "./channel.ts";
import { createDelivery, type Delivery, type DeliveryOptions } from "./deliver.ts";
import type { Notification } from "./notification.ts";

export type Outbox = {
  /** `null` where nobody is told. */
  channelFor(endpoint: string | null): Channel | null;
  enqueue(notification: Notification): void;
  /**
   * Changes who is told of an endpoint. What waits in the queue of a channel that is gone
   * is for the caller to enqueue again.
   */
  setOwn(channels: ReadonlyMap<string, Channel>): void;
  close(): Promise<void>;
};

export type OutboxOptions = {
  /** Of the monitor; `null`: only endpoints with a channel of their own are told of. */
  readonly channel: Channel | null;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onResult: DeliveryOptions["onResult"];
};

type Route = { readonly channel: Channel; readonly delivery: Delivery };

export function createOutbox({ channel, ...rest }: OutboxOptions): Outbox {
  const routeTo = (to: Channel): Route => ({
    channel: to,
    delivery: createDelivery({ ...rest, channel: to }),
  });
  const shared = channel && routeTo(channel);
  const own = new Map<string, Route>();
  const closing = new Set<Promise<void>>();
  const routeFor = (endpoint: string | null) =>
    (endpoint === null ? undefined : own.get(endpoint)) ?? shared;

  function end({ delivery }: Route): void {
    const closed = delivery.close().finally(() => closing.delete(closed));
    closing.add(closed);
  }

  return {
    channelFor: (endpoint) => routeFor(endpoint)?.channel ?? null,
    enqueue: (notification) => routeFor(notification.endpoint)?.delivery.enqueue(notification),
    setOwn(channels) {
      for (const [endpoint, route] of own) {
        if (channels.get(endpoint) === route.channel) continue;
        own.delete(endpoint);
        end(route);
      }
      for (const [endpoint, to] of channels) {
        if (!own.has(endpoint)) own.set(endpoint, routeTo(to));
      }
    },
    async close() {
      for (const route of [...own.values(), ...(shared ? [shared] : [])]) end(route);
      await Promise.all(closing);
    },
  };
}
