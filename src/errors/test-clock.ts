/** A clock for tests that stands still until it is told. */
export function testClock(timeMs = Date.UTC(2026, 0, 1)) {
  let now = timeMs;
  return {
    now: () => now,
    advance: (byMs: number) => {
      now += byMs;
    },
  };
}
