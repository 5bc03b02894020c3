/** Slack: the contract of channels, the exact bodies, and what Slack itself demands of them. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { firing, resolved, testChannelContract } from "../channel-contract.ts";
import type { Message } from "../message.ts";
import { BLOCK_TEXT_MAX_CHARS, previewSlack, renderSlack, TEXT_MAX_CHARS } from "./render.ts";
import { createSlackChannel } from "./slack-channel.ts";

testChannelContract({
  name: "slack",
  create: ({ url, ...rest }) => createSlackChannel({ webhookUrl: url, ...rest }),
});

const summary: Message = {
  ...resolved,
  state: "fired and resolved",
  detail: `${resolved.detail}\nIt could not be told in time. When it fired: ${firing.headline}: ${firing.detail}`,
};
const hostile: Message = {
  ...firing,
  endpoint: "<!here>`evil`\n@channel",
  headline: "*bold* <@U123> & co",
  detail: "<https://evil.example|click> @everyone a < b && c > d",
  pageUrl: "javascript:alert(1)",
};

for (const [name, message] of Object.entries({ firing, resolved, summary, hostile })) {
  test(`the body of ${name} is as recorded`, () => {
    golden(`golden/${name}.json`, `${JSON.stringify(renderSlack(message), null, 2)}\n`);
  });
}

test("the preview is one text with the same parts", () => {
  golden(
    "golden/preview.txt",
    `${[firing, resolved, summary, hostile].map(previewSlack).join("\n\n")}\n`,
  );
});

const answers = [
  [400, "no_text", "Slack answered 400: no_text"],
  [400, "invalid_payload", "Slack answered 400: invalid_payload"],
  [403, "action_prohibited", "Slack answered 403: action_prohibited"],
  [404, "channel_not_found", "Slack answered 404: channel_not_found"],
  [404, "no_service", "Slack answered 404: no_service"],
  [410, "channel_is_archived", "Slack answered 410: channel_is_archived"],
  [400, "", "Slack answered 400"],
  [400, "two\nlines \u001b[31m", "Slack answered 400: two lines [31m"],
  [302, "moved", "Slack answered 302, a redirect, which is not followed"],
  [500, "server_error", "Slack answered 500"],
] as const;
for (const [status, body, expected] of answers) {
  test(`people read "${expected}"`, async () => {
    const channel = createSlackChannel({
      webhookUrl: "https://hooks.slack.com/services/T000/B000/abcdefghijkl",
      fetch: async () => new Response(body, { status }),
      timeoutMs: 1000,
    });
    const result = await channel.send(firing, new AbortController().signal);
    assert.equal(result.kind === "sent" ? "" : result.reason, expected);
  });
}

test("people read why Slack could not be reached", async () => {
  const channel = createSlackChannel({
    webhookUrl: "https://hooks.slack.com/services/T000/B000/abcdefghijkl",
    fetch: async () => {
      throw new TypeError("fetch failed", {
        cause: Object.assign(new Error(), { code: "ENOTFOUND" }),
      });
    },
    timeoutMs: 1000,
  });
  assert.deepEqual(await channel.send(firing, new AbortController().signal), {
    kind: "retry",
    reason: "Slack could not be reached: ENOTFOUND",
  });
});

test("nothing from outside keeps a meaning for Slack", () => {
  const bait = "<!here> <!channel> <@U1> <https://x|y> @here @channel @everyone &lt;!here&gt;";
  const message = { ...firing, endpoint: bait, ruleId: bait, headline: bait, detail: bait };
  const text = JSON.stringify(renderSlack(message));
  const links = Array.from(text.matchAll(/<[^>]*>/g), ([link]) => link.replace(/[|^].*/, ""));
  assert.deepEqual(
    new Set(links),
    new Set(["<!date", "<http://127.0.0.1:4318/agents/support-agent?range=15m"]),
  );
  assert.doesNotMatch(text, /@(here|channel|everyone)/);
  assert.match(text, /&amp;lt;!here&amp;gt;/);
});

test("a message is never longer than Slack takes, nor cut inside an entity", () => {
  for (const text of [
    "&".repeat(100_000),
    "x".repeat(100_000),
    "😀".repeat(50_000),
    "<".repeat(9000),
  ]) {
    const message = { ...firing, endpoint: text, ruleId: text, headline: text, detail: text };
    const { text: whole, blocks } = renderSlack(message);
    assert.ok(whole.length <= TEXT_MAX_CHARS);
    for (const block of blocks) {
      for (const { text: part } of block.type === "section" ? [block.text] : block.elements) {
        assert.ok(part.length <= BLOCK_TEXT_MAX_CHARS);
        assert.doesNotMatch(part, /&(?!amp;|lt;|gt;)/);
        assert.ok(part.isWellFormed());
      }
    }
  }
});

/** `UPDATE=1` writes the file anew; review it with `git diff`. */
function golden(path: string, actual: string): void {
  const url = new URL(path, import.meta.url);
  if (process.env.UPDATE) writeFileSync(url, actual);
  assert.equal(actual, readFileSync(url, "utf8"));
}
