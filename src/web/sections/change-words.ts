/**
 * How a change reads in a list whose other columns already name the agent and the
 * kind of change: neither is said twice, and what happened several times in a row
 * is one line with its count.
 */
import type { ChangeRow } from "../api.ts";

export type Told = ChangeRow & {
  /** How often in a row; the time is that of the newest. */
  readonly times: number;
};

/** Newest first; neighbours that say the same are told once. */
export function foldChanges(changes: readonly ChangeRow[]): Told[] {
  const told: Told[] = [];
  for (const change of [...changes].sort((a, b) => b.timeMs - a.timeMs)) {
    const above = told.at(-1);
    if (above && isSame(above, change))
      told[told.length - 1] = { ...above, times: above.times + 1 };
    else told.push({ ...change, times: 1 });
  }
  return told;
}

export function changeKind({ kind, to }: ChangeRow): string {
  switch (kind) {
    case "alert":
      return to;
    case "error_group":
      return `${to} error`;
    case "notification":
      return `message ${to}`;
    case "health":
      return to;
    case "deployment":
      return "deployed";
  }
}

/** Without the agent's name where a link says it, and without the kind. */
export function changeText(
  { endpoint, text }: ChangeRow,
  { isAgentNamed }: { readonly isAgentNamed: boolean },
): string {
  const bare = text.replace(/^New error: /, "");
  return isAgentNamed && endpoint !== null ? withoutAgent(bare, endpoint) : bare;
}

/** What is left of a sentence about an agent when its name stands before it already. */
export function withoutAgent(bare: string, endpoint: string): string {
  for (const name of [endpoint, `\`${endpoint}\``]) {
    if (bare.startsWith(`${name} `)) return bare.slice(name.length + 1);
  }
  return bare;
}

function isSame(a: ChangeRow, b: ChangeRow): boolean {
  return a.kind === b.kind && a.endpoint === b.endpoint && a.to === b.to && a.text === b.text;
}
