/** Shows parsed text as elements. Everything from outside arrives here as text nodes only. */

import { type Block, type Inline, parseMrkdwn, parseSentence } from "../mrkdwn.ts";
import { StateShape } from "./state.tsx";

/** A sentence of the monitor, in which modules stand in backticks. */
export function SentenceText({ text }: { text: string }) {
  return <Inlines inlines={parseSentence(text)} />;
}

export function Mrkdwn({ text }: { text: string }) {
  return (
    <>
      {parseMrkdwn(text).map((block, index) => (
        <BlockOf key={index} block={block} />
      ))}
    </>
  );
}

function BlockOf({ block }: { block: Block }) {
  switch (block.kind) {
    case "code":
      return (
        <pre>
          <code>{block.text}</code>
        </pre>
      );
    case "quote":
      return (
        <blockquote>
          <Inlines inlines={block.children} />
        </blockquote>
      );
    case "line":
      return (
        <p>
          <Inlines inlines={block.children} />
        </p>
      );
  }
}

function Inlines({ inlines }: { inlines: readonly Inline[] }) {
  return (
    <>
      {inlines.map((inline, index) => (
        <InlineOf key={index} inline={inline} />
      ))}
    </>
  );
}

function InlineOf({ inline }: { inline: Inline }) {
  switch (inline.kind) {
    case "text":
      return <>{inline.text}</>;
    case "code":
      return <code>{inline.text}</code>;
    case "state":
      return <StateShape status={inline.status} />;
    case "measure":
      return <span class="measure">{inline.text}</span>;
    case "bold":
      return (
        <strong>
          <Inlines inlines={inline.children} />
        </strong>
      );
    case "italic":
      return (
        <em>
          <Inlines inlines={inline.children} />
        </em>
      );
    case "strike":
      return (
        <s>
          <Inlines inlines={inline.children} />
        </s>
      );
    case "link":
      return (
        <a href={inline.href} target="_blank" rel="noreferrer noopener">
          {inline.text}
        </a>
      );
  }
}
