/** After a start: what was known before, from the journal, with what could not be read of it. */
import { entryOf } from "../state/journal-entry.ts";
import type { MonitorState } from "../state/monitor-state.ts";
import type { Journal } from "../store/journal.ts";

/** Applies what the journal holds, and says what could not be read of it. */
export async function restore(
  journal: Journal,
  state: MonitorState,
  onNotice: (notice: string) => void,
): Promise<void> {
  let unreadable = 0;
  const { damaged, quarantinedAs } = await journal.replay(({ body, timeMs }) => {
    try {
      state.apply(entryOf(body), timeMs);
    } catch {
      unreadable++;
    }
  });
  if (damaged + unreadable > 0) {
    onNotice(`${damaged + unreadable} damaged journal entries were left out.`);
  }
  if (quarantinedAs !== null) {
    onNotice(
      `The journal was damaged. It was set aside as ${quarantinedAs}; what could be read was kept.`,
    );
  }
}
