/**
 * Which key does what. Pure: a key and what was pressed before it give a command,
 * so that all of it can be tested without a browser, and the help lists exactly
 * what works.
 */
export type Command =
  | "filter"
  | "go to overview"
  | "go to alerts"
  | "go to errors"
  | "go to health"
  | "help"
  | "close"
  | "next row"
  | "previous row"
  | "open first row";

export type Press = {
  readonly key: string;
  /** With Ctrl, Alt or Meta a key belongs to the browser. */
  readonly modified: boolean;
  readonly place: "page" | "filter" | "other field";
};

export type Pressed = { readonly command: Command | null; readonly waiting: "g" | null };

export const KEYS: readonly { readonly keys: readonly string[]; readonly does: string }[] = [
  { keys: ["/"], does: "Filter agents" },
  { keys: ["↓", "↑"], does: "Walk the agents" },
  { keys: ["Enter"], does: "Open the agent" },
  { keys: ["g", "o"], does: "Go to the overview" },
  { keys: ["g", "a"], does: "Go to the alerts" },
  { keys: ["g", "e"], does: "Go to the errors" },
  { keys: ["g", "h"], does: "Go to health" },
  { keys: ["?"], does: "Show this help" },
  { keys: ["Esc"], does: "Close, or clear the filter" },
];

/** Where a key leads after `g`. */
const PLACES: Readonly<Record<string, Command>> = {
  o: "go to overview",
  a: "go to alerts",
  e: "go to errors",
  h: "go to health",
};

export function pressKey(waiting: Pressed["waiting"], press: Press): Pressed {
  if (press.modified || press.place === "other field") return { command: null, waiting: null };
  if (press.place === "filter") return { command: inFilter(press.key), waiting: null };
  const place = waiting === "g" ? PLACES[press.key] : undefined;
  if (place) return { command: place, waiting: null };
  if (press.key === "g") return { command: null, waiting: "g" };
  return { command: onPage(press.key), waiting: null };
}

function onPage(key: string): Command | null {
  switch (key) {
    case "/":
      return "filter";
    case "?":
      return "help";
    case "Escape":
      return "close";
    case "ArrowDown":
      return "next row";
    case "ArrowUp":
      return "previous row";
    default:
      return null;
  }
}

function inFilter(key: string): Command | null {
  switch (key) {
    case "Escape":
      return "close";
    case "ArrowDown":
      return "next row";
    case "Enter":
      return "open first row";
    default:
      return null;
  }
}
