/** Sums of tokens in which every token counts once. */
import type { Tokens } from "./request.ts";

/**
 * Where only one of two tells the provider's prompt cache, the sum tells that part:
 * at least so many tokens came from it. `null` when neither is known.
 */
export function addTokens(one: Tokens | null, other: Tokens | null): Tokens | null {
  if (one === null || other === null) return one ?? other;
  return toldTokens({
    input: one.input + other.input,
    output: one.output + other.output,
    cacheRead: addTold(one.cacheRead, other.cacheRead),
    cacheWrite: addTold(one.cacheWrite, other.cacheWrite),
  });
}

/** As `addTokens`, in place: for sums over very many calls. */
export class TokenSum {
  #input = 0;
  #output = 0;
  #cacheRead: number | undefined = undefined;
  #cacheWrite: number | undefined = undefined;

  add({ input, output, cacheRead, cacheWrite }: Tokens): void {
    this.#input += input;
    this.#output += output;
    if (cacheRead !== undefined) this.#cacheRead = (this.#cacheRead ?? 0) + cacheRead;
    if (cacheWrite !== undefined) this.#cacheWrite = (this.#cacheWrite ?? 0) + cacheWrite;
  }

  value(): Tokens {
    return toldTokens({
      input: this.#input,
      output: this.#output,
      cacheRead: this.#cacheRead,
      cacheWrite: this.#cacheWrite,
    });
  }
}

/** Leaves out what is not told. */
export function toldTokens({
  input,
  output,
  cacheRead,
  cacheWrite,
}: {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number | undefined;
  readonly cacheWrite: number | undefined;
}): Tokens {
  if (cacheRead === undefined) {
    return cacheWrite === undefined ? { input, output } : { input, output, cacheWrite };
  }
  return cacheWrite === undefined
    ? { input, output, cacheRead }
    : { input, output, cacheRead, cacheWrite };
}

function addTold(one: number | undefined, other: number | undefined): number | undefined {
  return other === undefined ? one : (one ?? 0) + other;
}
