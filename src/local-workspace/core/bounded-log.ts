/** The last lines that a process wrote, within a bound. */

/** Of an older line that does not fit any more, nothing is kept. */
export const LOG_MAX_CHARS = 256 * 1024;

export type BoundedLog = { add(text: string): void; text(): string };

export function createBoundedLog(maxChars = LOG_MAX_CHARS): BoundedLog {
  let held = "";
  return {
    add(text) {
      held += text;
      if (held.length <= maxChars) return;
      const cut = held.slice(-maxChars);
      held = cut.slice(cut.indexOf("\n") + 1);
    },
    text: () => held,
  };
}
