/** The sentence that every view opens with: is anything wrong, what, since when, for whom. */
import { useState } from "preact/hooks";
import type { Sentence } from "../api.ts";
import { SentenceText } from "../elements/rich-text.tsx";
import { StateShape } from "../elements/state.tsx";

export function SentenceBlock({ sentence }: { sentence: Sentence | null }) {
  if (!sentence) {
    return (
      <div class="sentence sentence-awaited">
        <StateShape status="unknown" size={20} />
        <p>Asking the monitor…</p>
      </div>
    );
  }
  const isEnded = /[.:!?]$/.test(sentence.headline);
  return (
    <>
      <div class="sentence" data-testid="sentence" data-status={sentence.status}>
        <StateShape status={sentence.status} size={20} />
        <p>
          <strong>
            <SentenceText text={sentence.headline} />
            {!isEnded && (sentence.detail ? ":" : ".")}
          </strong>{" "}
          <SentenceText text={sentence.detail} />
        </p>
      </div>
      <SpokenHeadline key={sentence.status} headline={sentence.headline} />
    </>
  );
}

/** Spoken when the state turns, not whenever a figure in the sentence moves. */
function SpokenHeadline({ headline }: { headline: string }) {
  const [first] = useState(headline);
  return (
    <p class="visually-hidden" role="status">
      {first}
    </p>
  );
}
