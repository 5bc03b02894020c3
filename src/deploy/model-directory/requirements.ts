/** What pip installs beside the model: what the user asked for, and what serving and telemetry need. */

/** Unless the user names the package. Versions are the oldest that were tried. */
const NEEDED = [
  "mlflow>=3.17.2,<4",
  "dspy>=3.3",
  "opentelemetry-sdk>=1.30",
  "opentelemetry-exporter-otlp-proto-http>=1.30",
] as const;

export function allRequirements(given: readonly string[]): readonly string[] {
  const named = new Set(given.map(packageOf));
  return [...given, ...NEEDED.filter((one) => !named.has(packageOf(one)))];
}

/** As package indexes compare names: `Open_Telemetry.sdk` and `open-telemetry-sdk` are one. */
function packageOf(requirement: string): string {
  const [name = ""] = /^[A-Za-z0-9._-]+/.exec(requirement.trim()) ?? [];
  return name.toLowerCase().replaceAll(/[-_.]+/g, "-");
}
