/**
 * How the rows of the module tree read: the part of a path that the row above it
 * already said is quiet, and the row that takes most of the time stands out.
 */
import type { ModuleRow } from "../api.ts";

export type TreeRow = ModuleRow & {
  readonly key: string;
  /** What the parent's path said already, such as `self.rag.`; empty where it did not. */
  readonly said: string;
  readonly name: string;
  /** At the first row of a program, where there are several. */
  readonly ofProgram: string | null;
  readonly isLargest: boolean;
};

/** Below this share nothing stands out: no single module explains the time. */
const LARGEST_SHARE_MIN = 0.3;

/** Tools and retrievers go by their spans' names also in telemetry that knows the modules' paths. */
export function isWithoutPaths(modules: readonly ModuleRow[]): boolean {
  return modules.length > 0 && modules.every((module) => module.pathSource === "span");
}

export function treeRows(modules: readonly ModuleRow[]): TreeRow[] {
  const largest = Math.max(...modules.map((module) => module.timeShare ?? 0));
  const hasSeveralPrograms = new Set(modules.map(({ program }) => program)).size > 1;
  let programAbove: string | null = null;
  const paths: string[] = [];
  const seen = new Map<string, number>();

  return modules.map((module) => {
    const { program, path, depth, timeShare } = module;
    const isFirst = program !== programAbove;
    programAbove = program;
    if (isFirst) paths.length = 0;
    paths.length = depth;
    const parent = paths.findLast((above) => path.startsWith(`${above}.`));
    paths[depth] = path;

    // Span names may repeat, paths may not; a key has to be one of a kind.
    const place = `${program} ${path}`;
    const nth = seen.get(place) ?? 0;
    seen.set(place, nth + 1);

    const said = parent === undefined ? "" : `${parent}.`;
    return {
      ...module,
      key: `${place} ${nth}`,
      said,
      name: path.slice(said.length),
      ofProgram: isFirst && hasSeveralPrograms ? program : null,
      isLargest: timeShare === largest && largest >= LARGEST_SHARE_MIN,
    };
  });
}
