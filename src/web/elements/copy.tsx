/** A text in code that one click copies: a command, a query. */
import { useState } from "preact/hooks";

export function CopyText({ text }: { text: string }) {
  const [said, setSaid] = useState("Copy");
  const copy = () => {
    // Without HTTPS a browser may refuse; the text can still be selected.
    const copying = navigator.clipboard?.writeText(text) ?? Promise.reject();
    copying.then(
      () => setSaid("Copied"),
      () => setSaid("Select it"),
    );
  };
  return (
    <div class="command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <code tabIndex={0}>{text}</code>
      <button type="button" class="button" onClick={copy} aria-live="polite">
        {said}
      </button>
    </div>
  );
}
