/**
 * Where texts stand below each other in one line each, those that begin alike are cut
 * before the part that differs, and look the same. Here such a text is told by its
 * beginning and by that part.
 */

/** Of the beginning this much stays. Texts that have less in common are told apart by it. */
const START_CHARS = 24;
/** What differs before this is seen where it stands. */
const SEEN_CHARS = 40;
/** A word that the difference is within is shown from its beginning, if that is no further back. */
const WORD_MAX_CHARS = 24;

/** @returns a line for each text, in their order; different texts get different lines. */
export function tellApart(texts: readonly string[]): string[] {
  return texts.map((text) => {
    const common = texts
      .map((other) => commonLength(text, other))
      .filter((length) => length >= START_CHARS);
    if (common.length === 0) return text;
    // The first place where any of them differs: those that differ later contain it, too.
    const at = Math.min(...common);
    const space = text.lastIndexOf(" ", at - 1) + 1;
    const from = at - space <= WORD_MAX_CHARS ? space : at;
    return from < SEEN_CHARS
      ? text
      : `${text.slice(0, START_CHARS)} … ${text.slice(from)}`.replace("  …", " …").toWellFormed();
  });
}

/** 0 where both are the same: then there is nothing to tell apart. */
function commonLength(a: string, b: string): number {
  if (a === b) return 0;
  let length = 0;
  while (length < a.length && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}
