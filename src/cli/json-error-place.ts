/**
 * Where a text stops being JSON. `JSON.parse` says it in some of its messages only, and
 * quotes the text, which may hold what should not be shown.
 */
export type Place = { readonly line: number; readonly column: number };

const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*")|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.]))/uy;

type Expected = "value" | "value or end" | "key" | "key or end" | "colon" | "comma or end";

/** @param text that `JSON.parse` refuses. */
export function jsonErrorPlace(text: string): Place {
  return placeOf(text, errorAt(text));
}

function errorAt(text: string): number {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  for (let at = 0; ; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const [, mark, word] = TOKEN.exec(text) ?? [];
    const isToken = TOKEN.lastIndex > at;
    const next: Expected | null = isToken
      ? expectedAfter({ mark, isText: word !== undefined }, expected, open)
      : null;
    if (next === null) return skipSpace(text, at);
    // After the outermost value nothing may follow.
    if (open.length === 0 && next === "comma or end") return skipSpace(text, TOKEN.lastIndex);
    expected = next;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (" \t\n\r".includes(text[at] ?? "x")) at++;
  return at;
}

/** What may follow the token; `null` when the token itself may not stand there. */
function expectedAfter(
  { mark, isText }: { readonly mark: string | undefined; readonly isText: boolean },
  expected: Expected,
  open: ("{" | "[")[],
): Expected | null {
  const mayEnd = expected.endsWith("or end");
  switch (mark) {
    case "{":
    case "[":
      if (!expected.startsWith("value")) return null;
      open.push(mark);
      return mark === "{" ? "key or end" : "value or end";
    case "}":
    case "]":
      return mayEnd && open.pop() === (mark === "}" ? "{" : "[") ? "comma or end" : null;
    case ",":
      if (expected !== "comma or end") return null;
      return open.at(-1) === "{" ? "key" : "value";
    case ":":
      return expected === "colon" ? "value" : null;
    default:
      if (expected.startsWith("key")) return isText ? "colon" : null;
      return expected.startsWith("value") ? "comma or end" : null;
  }
}

function placeOf(text: string, at: number): Place {
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
