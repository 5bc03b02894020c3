/**
 * Reads the text of a Databricks profile file (`~/.databrickscfg`): ini sections,
 * whose names may hold dots and spaces. As in the official tools, `[DEFAULT]` is a
 * profile like any other and lends nothing to the rest.
 */
export function parseProfiles(text: string): Map<string, Map<string, string>> {
  const profiles = new Map<string, Map<string, string>>();
  // Keys before the first section belong to DEFAULT, as the official tools have it.
  let section = new Map<string, string>();
  profiles.set("DEFAULT", section);

  for (const rawLine of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    const line = rawLine.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;

    if (line.startsWith("[") && line.endsWith("]")) {
      const name = line.slice(1, -1).trim();
      section = profiles.get(name) ?? new Map();
      profiles.set(name, section);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals > 0) section.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }

  if (profiles.get("DEFAULT")?.size === 0) profiles.delete("DEFAULT");
  // The tools' own settings, no profile.
  profiles.delete("__settings__");
  return profiles;
}
