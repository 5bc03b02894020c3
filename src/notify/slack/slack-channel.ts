/**
 * Sends messages to one Slack incoming webhook. Its URL is a secret: who has it
 * can write to the channel. So nothing that `fetch` or the server says is passed
 * on as it is: errors of `fetch` carry the URL in their message, cause or input.
 *
 * Source: Slack API, "Sending messages using incoming webhooks" (the errors) and
 * "Rate limits" (429 with Retry-After in seconds).
 */
import { MonitorError } from "../../monitor-error.ts";
import type { Channel, SendResult } from "../channel.ts";
import type { Message } from "../message.ts";
import { previewSlack, renderSlack } from "./render.ts";

export type SlackChannelOptions = {
  /** Never shown. From `readSecret`. */
  readonly webhookUrl: string;
  readonly fetch: typeof globalThis.fetch;
  /** For one attempt, from connecting to the last byte of the answer. */
  readonly timeoutMs: number;
};

/** Of an answer, as much is read; Slack's own are one word. */
const BODY_MAX_BYTES = 4096;

/** Of an answer, as much is shown. */
const SHOWN_MAX_CHARS = 200;

/** Parts of the URL's path that are as long as this are taken for secret. */
const SECRET_PART_MIN_CHARS = 6;

/**
 * @throws MonitorError `CONFIG_INVALID` when the URL is none; without showing it.
 */
export function createSlackChannel({ webhookUrl, fetch, timeoutMs }: SlackChannelOptions): Channel {
  if (!URL.canParse(webhookUrl)) {
    throw new MonitorError("CONFIG_INVALID", "the Slack webhook is not a URL", {
      hint: "Copy the webhook URL again from Slack: your app, Incoming Webhooks.",
    });
  }
  const scrub = scrubber(webhookUrl);

  return {
    kind: "slack",
    preview: previewSlack,
    async send(message: Message, signal: AbortSignal): Promise<SendResult> {
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const response = await fetch(webhookUrl, {
          method: "POST",
          headers: { "content-type": "application/json; charset=utf-8" },
          body: JSON.stringify(renderSlack(message)),
          // A redirect could carry the message, and our address, to anywhere.
          redirect: "manual",
          signal: AbortSignal.any([signal, timeout]),
        });
        const status = kindOf(response.status);
        const word = await readWord(response, status === "refused" ? SHOWN_MAX_CHARS : 0, scrub);
        return resultOf(response, word);
      } catch (error) {
        if (signal.aborted) return { kind: "retry", reason: "stopped before Slack answered" };
        if (timeout.aborted) {
          return { kind: "retry", reason: `Slack did not answer within ${timeoutMs / 1000} s` };
        }
        return { kind: "retry", reason: `Slack could not be reached${networkCode(error)}` };
      }
    },
  };
}

function kindOf(status: number): SendResult["kind"] {
  if (status >= 200 && status < 300) return "sent";
  return status === 408 || status === 429 || status >= 500 ? "retry" : "refused";
}

function resultOf(response: Response, word: string): SendResult {
  const { status } = response;
  const kind = kindOf(status);
  if (kind === "sent") return { kind };
  if (kind === "retry") {
    const retryAfterMs = readRetryAfterMs(response.headers.get("retry-after"));
    const reason = `Slack answered ${status}`;
    return retryAfterMs === null ? { kind, reason } : { kind, reason, retryAfterMs };
  }
  if (status < 400) {
    return { kind, reason: `Slack answered ${status}, a redirect, which is not followed` };
  }
  return { kind, reason: `Slack answered ${status}${word === "" ? "" : `: ${word}`}` };
}

/** Slack sends seconds. A date would need the time of day, and is taken for absent. */
function readRetryAfterMs(header: string | null): number | null {
  return header !== null && /^\d{1,9}$/.test(header.trim()) ? Number(header) * 1000 : null;
}

/** Reads the body to a bound, so that the connection can be used again; an answer that breaks off is still an answer. */
async function readWord(
  response: Response,
  maxChars: number,
  scrub: (text: string) => string,
): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value.subarray(0, BODY_MAX_BYTES - sizeBytes), { stream: true });
      sizeBytes += value.byteLength;
      if (sizeBytes >= BODY_MAX_BYTES) {
        await reader.cancel();
        break;
      }
    }
  } catch {
    // The status has been read and decides.
  }
  // Scrubbed before it is cut: half a secret would not be recognised.
  const line = scrub(text)
    .replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ")
    .trim();
  return line.slice(0, maxChars);
}

/** Replaces the URL and every part of it that could be the secret, as they are and as they are usually encoded. */
function scrubber(webhookUrl: string): (text: string) => string {
  const { href, pathname, search, hash, username, password } = new URL(webhookUrl);
  const parts = [
    ...pathname.split("/"),
    ...search.split(/[?&=]/),
    hash.slice(1),
    username,
    password,
  ];
  const secrets = [webhookUrl, href, pathname + search, pathname, ...parts]
    .flatMap((text) => [text, decode(text)])
    .flatMap((text) => [text, encodeURIComponent(text)])
    .filter((text) => text.length >= SECRET_PART_MIN_CHARS)
    .sort((a, b) => b.length - a.length)
    .map((text) => text.toLowerCase());

  return (text) => {
    let scrubbed = text;
    for (const secret of new Set(secrets)) {
      const folded = scrubbed.toLowerCase();
      // Folding may change the length of rare letters; then nothing of the text can be trusted.
      if (folded.length !== scrubbed.length) return "";
      for (
        let at = folded.lastIndexOf(secret);
        at !== -1;
        at = folded.lastIndexOf(secret, at - 1)
      ) {
        scrubbed = `${scrubbed.slice(0, at)}[removed]${scrubbed.slice(at + secret.length)}`;
        if (at === 0) break;
      }
    }
    return scrubbed;
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Only a code in capitals, such as `ECONNREFUSED`: a message may hold the URL. */
function networkCode(error: unknown): string {
  for (let cause = error, depth = 0; depth < 5; depth += 1) {
    if (typeof cause !== "object" || cause === null) break;
    if (
      "code" in cause &&
      typeof cause.code === "string" &&
      /^[A-Z][A-Z0-9_]{2,39}$/.test(cause.code)
    ) {
      return `: ${cause.code}`;
    }
    cause = "cause" in cause ? cause.cause : null;
  }
  return "";
}
