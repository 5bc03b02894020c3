/** Where nothing is yet: what will appear here, and the one command that makes it appear. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

export function Empty({ children, command }: { children: ComponentChildren; command?: string }) {
  return (
    <div class="empty">
      <p>{children}</p>
      {command && <CopyCommand command={command} />}
    </div>
  );
}

function CopyCommand({ command }: { command: string }) {
  const [said, setSaid] = useState("Copy");
  const copy = () => {
    // Without HTTPS a browser may refuse; the command can still be selected.
    const copying = navigator.clipboard?.writeText(command) ?? Promise.reject();
    copying.then(
      () => setSaid("Copied"),
      () => setSaid("Select it"),
    );
  };
  return (
    <p class="command">
      <code>{command}</code>
      <button type="button" class="button" onClick={copy}>
        {said}
      </button>
    </p>
  );
}
