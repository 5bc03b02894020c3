/**
 * Time, as the local workspace takes it from whoever starts it. It imports
 * nothing of the product, so it says here what it needs.
 */
export type Clock = {
  /** Unix milliseconds. */
  now(): number;
  /** Calls `run` every `intervalMs` until the returned function is called. */
  every(intervalMs: number, run: () => void): () => void;
  /** Calls `run` once after `delayMs`, unless the returned function is called before. */
  after(delayMs: number, run: () => void): () => void;
};
