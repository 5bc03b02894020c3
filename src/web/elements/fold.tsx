/**
 * A long list begins with its first rows. On a laptop most lists scroll inside their
 * panel instead, so there the button shows only where `everywhere` is asked for.
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

/** As many as `styles/base.css` leaves of a folded list. */
export const FOLDED_ROWS = 5;

type Props = { rows: number; everywhere?: true; children: ComponentChildren };

export function Fold({ rows, everywhere, children }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <div
      class={`fold ${everywhere ? "fold-everywhere" : "fold-phone"}`}
      data-folded={!isOpen || undefined}
    >
      {children}
      {rows > FOLDED_ROWS && (
        <button
          type="button"
          class="fold-button"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? `Show the first ${FOLDED_ROWS}` : `Show all ${rows}`}
        </button>
      )}
    </div>
  );
}
