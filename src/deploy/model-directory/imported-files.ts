/**
 * Which files beside `agent.py` belong to it: those that its imports lead to, and theirs.
 * Only what Python finds from the folder of `agent.py` is local; all else is installed.
 */

/** `from a.b import c` gives `a.b` and `a.b.c`, either of which may be a file. */
export function importsOf(python: string): readonly string[] {
  const modules = new Set<string>();
  // A list of names may go on over lines in brackets, or behind a backslash.
  const text = python.replaceAll(/\\\r?\n/g, " ");
  for (const [, from = "", names = ""] of text.matchAll(
    /^[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]+)/gm,
  )) {
    if (!/^\.+$/.test(from)) modules.add(from);
    for (const [name] of names.replaceAll(/#.*|\bas\s+\w+/g, "").matchAll(/\w+/g)) {
      modules.add(/\.$/.test(from) ? `${from}${name}` : `${from}.${name}`);
    }
  }
  for (const [, names = ""] of text.matchAll(/^[ \t]*import[ \t]+([^\n#;]+)/gm)) {
    for (const name of names.split(",")) modules.add(name.trim().split(/\s/)[0] ?? "");
  }
  modules.delete("");
  return [...modules];
}

/**
 * Where a module may stand, from the folder of `agent.py`. Packages around it come along,
 * since Python runs them first.
 *
 * @param importer the file that imports it, from the same folder.
 */
export function placesOf(module: string, importer: string): readonly string[] {
  const [, dots = "", rest = ""] = /^(\.*)(.*)$/.exec(module) ?? [];
  const above = importer.split("/").slice(0, -1);
  // One dot is the importer's own package, each further one the package around it.
  const start = dots === "" ? [] : above.slice(0, above.length - (dots.length - 1));
  if (dots.length > above.length + 1) return [];
  const path = [...start, ...rest.split(".").filter((part) => part !== "")];
  if (path.length === 0) return [];
  const packages = path.map((_, index) => `${path.slice(0, index + 1).join("/")}/__init__.py`);
  return [`${path.join("/")}.py`, ...packages];
}
