/**
 * Receives what would go to a Slack channel, so that notifications can be seen
 * without a Slack workspace. It answers as Slack's incoming webhooks do, also
 * to what they refuse.
 *
 * Source: Slack, "Sending messages using incoming webhooks".
 */
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";

export type ReceivedMessage = {
  /** Unix milliseconds. */
  readonly receivedMs: number;
  readonly body: Readonly<Record<string, unknown>>;
};

export type SlackReceiver = {
  /** The webhook, on loopback. Its path is the secret, as Slack's is. */
  readonly url: string;
  /** The latest ones, oldest first. */
  messages(): readonly ReceivedMessage[];
  close(): Promise<void>;
};

/** Messages kept; beyond, the oldest is forgotten. */
const MESSAGES_MAX = 200;
const BODY_MAX_BYTES = 1024 * 1024;

export async function startSlackReceiver(
  options: { readonly port?: number; readonly now?: () => number } = {},
): Promise<SlackReceiver> {
  const { port = 0, now = Date.now } = options;
  const path = `/services/T${secretOf(4)}/B${secretOf(5)}/${secretOf(12)}`;
  const inbox = createSlackInbox({ path, now });
  const server = serve({ fetch: inbox.api.fetch, hostname: "127.0.0.1", port });
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
  return {
    // The address of a server that listens on TCP is an AddressInfo.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    messages: inbox.messages,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Only an HTTP/2 server lacks it, and this is none.
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  };
}

/** The receiver without a socket. */
export function createSlackInbox(options: { readonly path: string; readonly now: () => number }) {
  const { path, now } = options;
  let messages: readonly ReceivedMessage[] = [];
  const api = new Hono();
  const limit = bodyLimit({
    maxSize: BODY_MAX_BYTES,
    onError: (c) => c.text("invalid_payload", 413),
  });
  api.post(path, limit, async (c) => {
    const isForm = c.req.header("content-type")?.startsWith("application/x-www-form-urlencoded");
    const text = await c.req.text();
    const body = parseObject(isForm ? (new URLSearchParams(text).get("payload") ?? "") : text);
    if (!body) return c.text("invalid_payload", 400);
    if (!hasContent(body)) return c.text("no_text", 400);
    messages = [...messages, { receivedMs: now(), body }].slice(-MESSAGES_MAX);
    return c.text("ok");
  });
  api.notFound((c) => c.text("no_service", 404));
  return { api, messages: () => messages };
}

function hasContent({ text, blocks, attachments }: ReceivedMessage["body"]): boolean {
  return [text, blocks, attachments].some(
    (part) => (typeof part === "string" || Array.isArray(part)) && part.length > 0,
  );
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    // An object may be read by any name.
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function secretOf(bytes: number): string {
  return randomBytes(bytes).toString("hex").toUpperCase();
}
