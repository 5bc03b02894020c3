/** Where nothing is yet: what will appear here, and the one command that makes it appear. */
import type { ComponentChildren } from "preact";
import { CopyText } from "./copy.tsx";

export function Empty({ children, command }: { children: ComponentChildren; command?: string }) {
  return (
    <div class="empty">
      <p>{children}</p>
      {command && <CopyText text={command} />}
    </div>
  );
}
