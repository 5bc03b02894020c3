/**
 * What a module or tool is called in a sentence. Paths begin at `self`, which is another one
 * in each program: where an agent has several, the program stands beside the path.
 */
import { code, plainName } from "./plain-text.ts";

type Place = { readonly program: string; readonly path: string };

/** `self.rewrite`, or `self.rewrite` of Triage where the places are of several programs. */
export function placeNames(places: readonly Place[]): (place: Place) => string {
  const programs = new Set(places.map(({ program }) => program));
  return ({ program, path }) =>
    programs.size > 1 ? `${code(path)} of ${plainName(program)}` : code(path);
}
