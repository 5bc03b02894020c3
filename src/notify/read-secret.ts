/**
 * Reads a webhook URL from where it is kept: `env:NAME` or `file:PATH`. Settings
 * hold only this reference, so the URL is in no file, export or page of ours.
 * What was read, and a reference that looks like the URL itself, is never shown.
 */
import { MonitorError } from "../monitor-error.ts";

export type SecretSources = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readFile(path: string): string | Promise<string>;
};

/** A webhook URL is shorter than this; a longer file is the wrong file. */
const URL_MAX_CHARS = 2048;

/** What a reference leads to, in words of a message. */
export type Referred = {
  /** Such as `the webhook`. */
  readonly what: string;
  /** What of it is kept there, such as `URL`. */
  readonly part: string;
  /** What has to be there, such as `the webhook's URL`. */
  readonly holds: string;
  readonly hint: string;
};

const HINT =
  "Give it as env:NAME (an environment variable) or file:PATH (a file that only you can read).";

/**
 * @throws MonitorError `CONFIG_INVALID` when the reference, or what it leads to,
 * can't be used.
 */
export async function readSecret(reference: string, sources: SecretSources): Promise<string> {
  const { where, text } = await readReference(reference, sources, {
    what: "the webhook",
    part: "URL",
    holds: "the webhook's URL",
    hint: HINT,
  });
  return checkedWebhook(text, where);
}

/**
 * The address, when it may be used.
 *
 * @param where it stands, as it may be shown.
 * @throws MonitorError `CONFIG_INVALID` otherwise, without the address.
 */
export function checkedWebhook(text: string, where: string): string {
  const url = text.trim();
  if (url === "") {
    throw invalid(`the webhook is empty: ${where}`, "Put the webhook's URL there.");
  }
  if (url.length > URL_MAX_CHARS || /\s/.test(url) || !URL.canParse(url)) {
    throw invalid(
      `the webhook is not a URL: ${where}`,
      "It should hold the webhook's URL and nothing else.",
    );
  }

  const { protocol, hostname, username, password } = new URL(url);
  if (username !== "" || password !== "") {
    throw invalid(
      `the webhook holds a user name or password: ${where}`,
      "Use the URL as Slack shows it, without user:password@.",
    );
  }
  if (protocol !== "https:" && !(protocol === "http:" && isLoopback(hostname))) {
    throw invalid(
      `the webhook is not an https URL: ${where}`,
      "Use the https URL that Slack shows; http is taken only for this machine.",
    );
  }
  if (isLinkLocal(hostname)) {
    throw invalid(
      `the webhook leads to an address that only machines of a cloud use: ${where}`,
      "Use the https URL that Slack shows.",
    );
  }
  return url;
}

/**
 * The text that a reference leads to; `where` may be shown.
 *
 * @throws MonitorError `CONFIG_INVALID` when there is none.
 */
export async function readReference(
  reference: string,
  { env, readFile }: SecretSources,
  { what, part, holds, hint }: Referred,
): Promise<{ where: string; text: string }> {
  const name = /^env:([A-Za-z_][A-Za-z0-9_]{0,127})$/.exec(reference)?.[1];
  if (name !== undefined) {
    const text = env[name];
    if (text !== undefined) return { where: `environment variable ${name}`, text };
    throw invalid(
      `${what} is kept in environment variable ${name}, which is not set`,
      `Set ${name} to ${holds}.`,
    );
  }

  const path = /^file:([^\0\r\n]{1,4096})$/.exec(reference)?.[1];
  if (path === undefined || path.includes("://") || path.startsWith("//")) {
    throw invalid(`${what} is not a reference to where its ${part} is kept`, hint);
  }
  try {
    return { where: `file ${path}`, text: await readFile(path) };
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    throw invalid(
      `${what} is kept in file ${path}, which could not be read${code}`,
      "Check the path and that this user may read it.",
    );
  }
}

function invalid(message: string, hint: string): MonitorError {
  return new MonitorError("CONFIG_INVALID", message, { hint });
}

/** The URL's parser has brought every spelling of an address, such as `2130706433`, into one. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Where clouds keep the credentials of their machines. A v4 address in a v6 one is written in hex. */
function isLinkLocal(hostname: string): boolean {
  return /^(169\.254\.|0\.|\[fe[89ab]|\[::ffff:a9fe:|\[::\])/.test(hostname);
}
