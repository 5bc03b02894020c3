/** One line on the terminal for each thing that a deployment tells. */
import type { DeployProgress } from "../../deployment.ts";

const NAME_WIDTH = 30;

/** `null` for what is no news. */
export function progressLine({ step, state, message }: DeployProgress): string | null {
  const line = (mark: string) => `  ${mark} ${step.padEnd(NAME_WIDTH)} ${message}`.trimEnd();
  switch (state) {
    case "started":
      return message === "" ? null : line("·");
    case "waiting":
      return line("…");
    case "done":
      return line("+");
    case "unchanged":
      return line("=");
    case "skipped":
      return line("-");
    case "failed":
      return line("!");
    case "planned":
      return line("?");
  }
}
