/**
 * A value as a Python literal that is one line of ASCII whatever it holds: so no name
 * from outside ends a string, begins a cell or is a magic command, in whatever form a
 * notebook is kept. Pure.
 */
export type PythonValue =
  | string
  | number
  | null
  | readonly PythonValue[]
  | { readonly [key: string]: PythonValue };

export function pythonLiteral(value: PythonValue): string {
  if (value === null) return "None";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "None";
  if (typeof value === "string") return pythonText(value);
  if (isList(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  const entries = Object.entries(value).map(
    ([key, item]) => `${pythonText(key)}: ${pythonLiteral(item)}`,
  );
  return `{${entries.join(", ")}}`;
}

function isList(value: PythonValue): value is readonly PythonValue[] {
  return Array.isArray(value);
}

function pythonText(text: string): string {
  const escaped = Array.from(text, (character) => {
    if (/^[ !#-[\]-~]$/.test(character)) return character;
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return `\\U${code.padStart(8, "0")}`;
  });
  return `"${escaped.join("")}"`;
}
