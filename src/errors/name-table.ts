/**
 * What is known of types, agents and versions by their names. Services use few, so
 * each is cleaned and hashed once.
 */
import { errorClasses } from "../signals/error-class.ts";
import { hashText, type Lanes, startHash } from "../signals/fingerprint.ts";
import type { Scrubber } from "../signals/scrub.ts";
import { classOfType } from "./error-class-of.ts";
import type { PatternWindow } from "./pattern-window.ts";
import { asText } from "./read-safely.ts";

export type Name = { readonly text: string; readonly hash: Readonly<Lanes> };
export type TypeName = Name & {
  /** Its place among `errorClasses`, or -1 where the type says nothing of it. */
  readonly errorClass: number;
  /** Those that this type belongs to. */
  patterns: readonly PatternWindow[];
};

/** Names that are remembered, each. Others are worked out again every time. */
const NAMES_MAX = 1_000;
const NAME_MAX_CHARS = 200;

export class NameTable {
  readonly #scrubber: Scrubber;
  readonly #patternsOf: (type: string) => readonly PatternWindow[];
  readonly #types = new Map<unknown, TypeName>();
  readonly #names = new Map<unknown, Name>();

  constructor(scrubber: Scrubber, patternsOf: (type: string) => readonly PatternWindow[]) {
    this.#scrubber = scrubber;
    this.#patternsOf = patternsOf;
  }

  type(given: unknown): TypeName {
    const known = this.#types.get(given);
    if (known !== undefined) return known;
    const name = this.#newName(asText(given) || "unknown");
    const errorClass = classOfType(name.text);
    const type: TypeName = {
      ...name,
      errorClass: errorClass === null ? -1 : errorClasses.indexOf(errorClass),
      patterns: this.#patternsOf(name.text),
    };
    remember(this.#types, given, type);
    return type;
  }

  name(given: unknown): Name {
    const known = this.#names.get(given);
    if (known !== undefined) return known;
    const name = this.#newName(asText(given));
    remember(this.#names, given, name);
    return name;
  }

  /** Patterns came or went. */
  matchPatterns(): void {
    for (const type of this.#types.values()) type.patterns = this.#patternsOf(type.text);
  }

  #newName(given: string): Name {
    // A text of its own: a part of a longer one would keep all of it in memory.
    const text = ` ${this.#scrubber.start(given, NAME_MAX_CHARS)}`.slice(1);
    const hash: Lanes = { low: 0, high: 0 };
    startHash(hash);
    hashText(hash, text);
    return { text, hash };
  }
}

/** Never what had to be cleaned: it would be kept as it was. */
function remember<T extends Name>(known: Map<unknown, T>, given: unknown, name: T): void {
  if (given === name.text && known.size < NAMES_MAX) known.set(name.text, name);
}
