import assert from "node:assert/strict";
import { test } from "node:test";
import { type Block, type Inline, parseMrkdwn, parseSentence } from "./mrkdwn.ts";

/** Writes the tree so that a case fits on a line: `b(…)` is bold, `c(…)` code, `a(text→href)` a link. */
function check(mrkdwn: string, expected: string): void {
  assert.equal(parseMrkdwn(mrkdwn).map(writeBlock).join("\n"), expected);
}

function writeBlock(block: Block): string {
  if (block.kind === "code") return `pre(${block.text})`;
  const text = block.children.map(writeInline).join("");
  return block.kind === "quote" ? `quote(${text})` : text;
}

function writeInline(inline: Inline): string {
  switch (inline.kind) {
    case "text":
      return inline.text;
    case "code":
    case "measure":
      return `${inline.kind[0]}(${inline.text})`;
    case "state":
      return `(${inline.status})`;
    case "link":
      return `a(${inline.text}→${inline.href})`;
    default:
      return `${inline.kind[0]}(${inline.children.map(writeInline).join("")})`;
  }
}

test("plain text stays", () => check("all is well", "all is well"));
test("bold, italic, struck", () => check("*a* _b_ ~c~", "b(a) i(b) s(c)"));
test("emphasis in emphasis", () => check("*a _b_*", "b(a i(b))"));
test("marks inside words are text", () => check("2*3*4 snake_case_name", "2*3*4 snake_case_name"));
test("a lone mark is text", () => check("* a", "* a"));
test("code keeps its marks", () => check("`*a* <b>`", "c(*a* <b>)"));
test("a link with a label", () => check("<https://x.test/a|open>", "a(open→https://x.test/a)"));
test("a bare link", () => check("<https://x.test>", "a(https://x.test→https://x.test)"));
test("a link in bold", () => check("*<https://x.test|x>*", "b(a(x→https://x.test))"));
test("a script is no link", () => check("<javascript:alert(1)|open>", "open"));
test("a mention stays text", () => check("<!channel> hi", "!channel hi"));
test("escapes are undone once", () => check("a &lt;b&gt; &amp;lt;", "a <b> &lt;"));
test("HTML is only text", () => check("&lt;img src=x&gt;", "<img src=x>"));
test("lines, quotes, code blocks", () =>
  check("one\n> two\n```\nthree\n  four\n```\nfive", "one\nquote(two)\npre(three\n  four)\nfive"));
test("an empty line stays a line", () => check("one\n\ntwo", "one\n\ntwo"));
test("a circle that stands for a state is that state", () =>
  check(":red_circle: Firing: *x* 🔺 ✅", "(critical) Firing: b(x) (critical) (healthy)"));
test("known emoji are drawn, others stay", () => check(":warning: :shipit:", "⚠️ :shipit:"));

test("a sentence knows code, and keeps numbers with their units", () => {
  assert.equal(
    parseSentence("71 % is in `self.rewrite`, *not* ` alone; 4.2 s, 3 agents, 5 seconds")
      .map(writeInline)
      .join(""),
    "m(71 %) is in c(self.rewrite), *not* ` alone; m(4.2 s), 3 agents, 5 seconds",
  );
});
