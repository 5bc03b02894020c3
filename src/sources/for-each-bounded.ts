/**
 * Runs `work` for every item, at most `concurrency` at a time. Starts no more items
 * after one fails; rejects with that failure once the running ones have ended.
 */
export async function forEachBounded<T>(
  items: readonly T[],
  {
    concurrency,
    work,
  }: { readonly concurrency: number; readonly work: (item: T) => Promise<void> },
): Promise<void> {
  const remaining = items.values();
  let failure: { readonly error: unknown } | null = null;

  async function worker(): Promise<void> {
    // The iterator is shared: each item goes to the worker that asks first.
    for (const item of remaining) {
      try {
        await work(item);
      } catch (error) {
        failure ??= { error };
      }
      if (failure) return;
    }
  }

  await Promise.all(Array.from({ length: concurrency }, worker));
  if (failure) throw (failure as { readonly error: unknown }).error;
}
