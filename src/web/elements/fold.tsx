/**
 * A long list begins with its first rows. On a laptop most lists scroll inside their
 * panel instead, so there the button shows only where `everywhere` is asked for.
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

/** As many as `styles/base.css` leaves of a folded list: on a phone, and everywhere. */
const ROWS_ON_PHONE = 5;
const ROWS_EVERYWHERE = 3;

type Props = { rows: number; everywhere?: true; children: ComponentChildren };

export function Fold({ rows, everywhere, children }: Props) {
  const first = everywhere ? ROWS_EVERYWHERE : ROWS_ON_PHONE;
  const [isOpen, setOpen] = useState(false);
  return (
    <div
      class={`fold ${everywhere ? "fold-everywhere" : "fold-phone"}`}
      data-folded={!isOpen || undefined}
    >
      {children}
      {rows > first && (
        <button
          type="button"
          class="fold-button"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? `Show the first ${first}` : `Show all ${rows}`}
        </button>
      )}
    </div>
  );
}
