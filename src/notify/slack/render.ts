/**
 * A message in Slack's own form: blocks of mrkdwn, and one line of text for the
 * notification of a phone. Pure. Everything that comes from outside is escaped
 * here, as the last step before it is sent.
 *
 * Source: Slack API, "Formatting text for app surfaces" and "Sending messages
 * using incoming webhooks".
 */
import type { Message } from "../message.ts";

/** Slack cuts a message at 40 000 characters and refuses a text object above 3000. */
export const TEXT_MAX_CHARS = 40_000;
export const BLOCK_TEXT_MAX_CHARS = 3000;

const HEADLINE_MAX_CHARS = 500;
const NAME_MAX_CHARS = 100;

/** Half a link leads nowhere, so a longer one is left out. */
const LINK_MAX_CHARS = 1000;

/** A shape for each state, so that colour is not needed to tell them apart. */
const looks = {
  firing: { shape: "🔺", word: "Firing" },
  resolved: { shape: "✅", word: "Resolved" },
  "fired and resolved": { shape: "✅", word: "Fired and resolved" },
} as const;

type Mrkdwn = { readonly type: "mrkdwn"; readonly text: string; readonly verbatim: true };

export type SlackMessage = {
  readonly text: string;
  readonly blocks: readonly (
    | { readonly type: "section"; readonly text: Mrkdwn }
    | { readonly type: "context"; readonly elements: readonly Mrkdwn[] }
  )[];
};

export function renderSlack(message: Message): SlackMessage {
  const { title, detail, facts } = parts(message);
  return {
    text: cut([title, detail].filter(Boolean).join("\n"), TEXT_MAX_CHARS),
    blocks: [
      { type: "section", text: mrkdwn(title) },
      ...(detail === "" ? [] : [{ type: "section" as const, text: mrkdwn(detail) }]),
      { type: "context", elements: [mrkdwn(join([...facts, time(message.timeMs)]))] },
    ],
  };
}

/** The whole message as one mrkdwn text, for the page. */
export function previewSlack(message: Message): string {
  const { title, detail, facts } = parts(message);
  return cut([title, detail, join(facts)].filter(Boolean).join("\n"), TEXT_MAX_CHARS);
}

function parts(message: Message) {
  const { shape, word } = looks[message.state];
  // An asterisk would end the bold.
  const headline = escapeMrkdwn(message.headline.replace(/\.$/, "")).replaceAll("*", "∗");
  return {
    title: `${shape} ${word}: *${cut(headline.replaceAll("\n", " "), HEADLINE_MAX_CHARS)}*`,
    detail: cut(escapeMrkdwn(message.detail), BLOCK_TEXT_MAX_CHARS),
    facts: [
      message.endpoint === null ? "Workspace" : `Agent ${asCode(message.endpoint)}`,
      `Rule ${asCode(message.ruleId)}`,
      linkTo(message.pageUrl),
    ],
  };
}

function join(facts: readonly (string | null)[]): string {
  return facts.filter((fact) => fact !== null).join(" · ");
}

/**
 * Escapes the three characters that Slack gives a meaning, which also takes away
 * that of `<!here>` and `<@U123>`, and breaks up `@channel` and its like, which
 * some clients expand. Control characters and those that turn the direction of
 * text go.
 */
export function escapeMrkdwn(text: string): string {
  return text
    .replaceAll(/\r\n?/g, "\n")
    .replaceAll(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/@(?=\w)/g, "@\u200b");
}

function asCode(name: string): string {
  return `\`${escapeMrkdwn(name.slice(0, NAME_MAX_CHARS)).replaceAll("`", "'").replaceAll("\n", " ")}\``;
}

/** Shown in the time zone of the reader. */
function time(timeMs: number): string {
  const seconds = Math.floor(timeMs / 1000);
  const fallback = new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
  return `<!date^${seconds}^{date_short_pretty} {time}|${fallback} UTC>`;
}

function linkTo(pageUrl: string | null): string | null {
  if (pageUrl === null || !URL.canParse(pageUrl)) return null;
  const { protocol, href } = new URL(pageUrl);
  if (protocol !== "https:" && protocol !== "http:") return null;
  const target = href.replaceAll("|", "%7C").replaceAll("<", "%3C").replaceAll(">", "%3E");
  const link = `<${target.replaceAll("&", "&amp;")}|Open the page>`;
  return link.length <= LINK_MAX_CHARS ? link : null;
}

function mrkdwn(text: string): Mrkdwn {
  return { type: "mrkdwn", text, verbatim: true };
}

/** Never ends inside an entity such as `&amp;`. */
function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return `${text.slice(0, maxChars - 1).replace(/&[a-z]{0,3}$|[\uD800-\uDBFF]$/, "")}…`;
}
