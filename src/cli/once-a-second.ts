/** Progress that comes faster than people read: what comes within a second of the start, or of a line, is left out. */
const EVERY_MS = 1_000;

export function onceASecond(
  say: (message: string) => void,
  nowMs: () => number = Date.now,
): (message: string) => void {
  let saidMs = nowMs();
  return (message) => {
    // Also when the clock was set back.
    if (Math.abs(nowMs() - saidMs) < EVERY_MS) return;
    saidMs = nowMs();
    say(message);
  };
}
