/**
 * A ratio means something only when both sides did the same work: reads what each
 * says that it counted, and fails loudly where they differ.
 */

/** Sample (name and labels sorted) → value. */
export type Samples = Map<string, number>;

/** Reads Prometheus text. Label values of the benchmarks need no escaping. */
export function readSamples(text: string): Samples {
  const samples: Samples = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    const [, name = "", labels = ""] =
      /^([^{]+)(?:\{(.*)\})?$/.exec(line.slice(0, space).trimEnd()) ?? [];
    const key = sampleKey(name, labels === "" ? [] : labels.split(","));
    samples.set(key, Number(line.slice(space + 1).replace("Inf", "Infinity")));
  }
  return samples;
}

/** @param labels each as `name="value"`. */
export function sampleKey(name: string, labels: readonly string[]): string {
  return `${name}{${labels.toSorted().join(",")}}`;
}

/** What a collector counts of itself, which no peer has. */
const OWN = /^metrics_/;
/** Sums are added up in milliseconds here and in seconds there. */
const TOLERANCE = 1e-9;

export function mustAgree(peer: string, ours: Samples, theirs: Samples): void {
  const differences: string[] = [];
  for (const [key, value] of theirs) {
    const own = ours.get(key);
    if (own === undefined || Math.abs(own - value) > TOLERANCE * Math.abs(value)) {
      differences.push(`${key}: ours ${own}, ${peer} ${value}`);
    }
  }
  for (const key of ours.keys()) {
    if (!OWN.test(key) && !theirs.has(key)) differences.push(`${key}: not in ${peer}`);
  }
  if (theirs.size === 0) differences.push(`${peer} counted nothing`);
  if (differences.length === 0) return;
  const shown = differences.slice(0, 5).join("\n  ");
  throw new Error(`Not the same work: ${differences.length} samples differ.\n  ${shown}`);
}

/** Whether each call of each round was counted, so that nothing was measured that did not happen. */
export function mustCount(who: string, counted: number, calls: number): void {
  if (counted === calls) return;
  throw new Error(`${who} counted ${counted} of ${calls} calls: the figures mean nothing.`);
}
