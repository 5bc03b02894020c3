/**
 * Light, dark, or what the system says. The choice stays in this browser; the
 * colours themselves are custom properties in `styles/tokens.css`. Charts draw on
 * a canvas, so they ask to be told when the colours change.
 */
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const STORAGE_KEY = "dspy-databricks.theme";
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
const colours = new Map<string, string>();

systemIsDark.addEventListener("change", tellListeners);

export function readTheme(): Theme {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return THEMES.find((theme) => theme === stored) ?? "system";
  } catch {
    return "system"; // A browser may forbid storage; then the choice lasts until reload.
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // As above.
  }
  tellListeners();
}

/** Returns what ends the listening. */
export function onColoursChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What a custom property such as `--ink` is right now, as a colour that a canvas takes. */
export function readColour(property: string): string {
  const known = colours.get(property);
  if (known) return known;
  const probe = document.createElement("span");
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  colours.set(property, colour);
  return colour;
}

function tellListeners(): void {
  colours.clear();
  for (const listener of listeners) listener();
}
