/** YAML as a value, and where in the text each part of the value stands. */
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";

/** From 1, as editors count. */
export type Place = { readonly line: number; readonly column: number };
export type Path = readonly (string | number)[];

export type YamlSource = {
  readonly value: unknown;
  /** Of the key, or of the item of a list; `null` where nothing stands. */
  placeOf(path: Path): Place | null;
};

export type YamlMistake = { readonly place: Place; readonly message: string };

/** How often a part may be used again by `*name`; more is a text that was made to burst. */
const ALIASES_MAX = 100;

/** Deeper is a text that was made to burst, or a part that holds itself by `*name`. */
const DEPTH_MAX = 40;
const START: Place = { line: 1, column: 1 };

/** The value, or why the text is no YAML. */
export function readYaml(text: string): YamlSource | readonly YamlMistake[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  // A warning is about a tag that nobody knows, so the value is not what was meant.
  const wrong = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    place: placeAt(pos[0]),
    message: message.replace(/\s+/g, " "),
  }));
  if (wrong.length > 0) return wrong;
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch {
    return [{ place: START, message: `more than ${ALIASES_MAX} uses of aliases` }];
  }
  if (isDeeper(value, DEPTH_MAX)) return [tooDeep];
  return {
    value,
    placeOf(path) {
      const node = nodeAt(document, path);
      return node?.range ? placeAt(node.range[0]) : null;
    },
  };
}

const tooDeep: YamlMistake = {
  place: START,
  message: `maps and lists stand in one another more than ${DEPTH_MAX} deep`,
};

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((item) => isDeeper(item, depth - 1));
}

/** The key at the end of the path, so that a person sees its line and not that of its value. */
function nodeAt(document: Document.Parsed, path: Path): Node | null {
  let at: unknown = document.contents;
  let key: Node | null = document.contents;
  for (const step of path) {
    const collection: unknown = isAlias(at) ? at.resolve(document) : at;
    if (isMap(collection)) {
      const pair = collection.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (!pair || !isScalar(pair.key)) return null;
      [key, at] = [pair.key, pair.value];
    } else if (isSeq(collection) && typeof step === "number") {
      at = collection.items[step];
      if (!isScalar(at) && !isMap(at) && !isSeq(at)) return null;
      key = at;
    } else {
      return null;
    }
  }
  return key;
}
