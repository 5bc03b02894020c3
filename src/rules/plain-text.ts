/**
 * Makes names and messages from outside fit to stand in a sentence: one line,
 * no control characters, nothing that turns the direction of the text, a bound.
 */

/** Characters of an endpoint's or a module's name in a sentence. */
const NAME_MAX_CHARS = 80;

/** Characters of the evidence of a check in a sentence. */
const MESSAGE_MAX_CHARS = 300;

export function plainName(name: string): string {
  return plain(name.replaceAll("`", "'"), NAME_MAX_CHARS) || "unknown";
}

/** Ends with a full stop, so that another sentence can follow. Empty stays empty. */
export function plainMessage(message: string): string {
  const text = plain(message, MESSAGE_MAX_CHARS);
  return text === "" || /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** A place in an agent, such as `self.rewrite`, set as code. */
export function code(path: string): string {
  return `\`${plainName(path)}\``;
}

function plain(text: string, maxChars: number): string {
  // Cut before and after: the work is bounded, and so is the result.
  const line = text
    .slice(0, maxChars * 4)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\s]+/gu, " ")
    .trim();
  const characters = Array.from(line);
  return characters.length <= maxChars ? line : `${characters.slice(0, maxChars - 1).join("")}…`;
}
