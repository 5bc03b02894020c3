/**
 * Checks where metrics are sent and with which headers, before anything is sent:
 * the errors of `URL` and `Headers` print what they refuse, and with it a token.
 */
import { MonitorError } from "../monitor-error.ts";
import { checkOptions } from "../option.ts";

/**
 * @throws MonitorError `CONFIG_INVALID` for an address that can't be used. What
 * was given is not shown: it may hold a password.
 */
export function receiverUrl(url: string, what: string): URL {
  const parsed = typeof url === "string" ? URL.parse(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw invalid(`the address of ${what} is no http or https URL`, "Give it as https://host:port");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw invalid(
      `the address of ${what} holds a user name or password`,
      "Give the token as `token`, and the address without user:password@.",
    );
  }
  parsed.hash = "";
  return parsed;
}

/** @throws MonitorError `CONFIG_INVALID` for a token that must or can not be sent. */
export function bearer(token: string, url: URL): Record<string, string> {
  if (typeof token !== "string") {
    throw invalid(
      `the token for ${url.origin} is no text`,
      "Give it as a string, or leave it out.",
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw invalid(
      `the token for ${url.origin} has a space, a line break or another character that no header takes`,
      "Read it again from where it is kept, without what stands around it.",
    );
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw invalid(
      `the token for ${url.origin} would travel unencrypted`,
      "Use an https address; http with a token is for this machine only.",
    );
  }
  return { authorization: `Bearer ${token}` };
}

/** @throws MonitorError `CONFIG_INVALID`, without the value. */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  checkOptions("`headers`", headers);
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(name)) {
      throw invalid("a header has a name that HTTP does not know", "Use letters, digits and -.");
    }
    if (typeof value !== "string" || !/^[\x20-\x7e]*$/.test(value)) {
      throw invalid(
        `the header ${name} has a line break or a character beyond ASCII`,
        "Read its value again from where it is kept.",
      );
    }
  }
}

/** The URL's parser has brought every spelling of an address into one. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function invalid(message: string, hint: string): MonitorError {
  return new MonitorError("CONFIG_INVALID", message, { hint });
}
