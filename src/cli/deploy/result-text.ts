/** What a deployment, or the plan of one, reads like. */
import type { DeploymentResult } from "../../deployment.ts";

const NAME_WIDTH = 30;

export function resultText(result: DeploymentResult): string {
  return `${result.status === "planned" ? planLines(result).join("\n") : lines(result).join("\n")}\n`;
}

function lines(result: DeploymentResult): string[] {
  const { agentName, agentVersion, environment, modelName, modelVersion, monitoring } = result;
  const what = `${agentName} ${agentVersion}${environment === null ? "" : ` (${environment})`}`;
  const is = result.status === "unchanged" ? "is deployed already" : "is deployed";
  return [
    `${what} ${is}: ${modelName} version ${modelVersion}`,
    ...row("Endpoint", result.endpointName),
    ...row("URL", result.endpointUrl),
    ...row("Before", result.previousVersion && `version ${result.previousVersion}`),
    ...row("Notebook", monitoring?.notebookPath),
    ...row("Dashboard", monitoring?.dashboardId),
    ...row("Grafana", monitoring?.grafanaPath),
    ...row("Tables", monitoring?.tables.join(", ")),
    ...row("Alerts", monitoring?.alertIds.join(", ")),
    ...warningLines(result),
  ];
}

function planLines(result: DeploymentResult): string[] {
  const { agentName, agentVersion, environment, missingPermissions = [] } = result;
  const changes = result.steps.filter(({ outcome }) => outcome === "planned");
  const marks = { planned: "+", unchanged: "=", skipped: "-", done: "=", failed: "!" };
  return [
    `${agentName} ${agentVersion}${environment === null ? "" : ` (${environment})`}: ${
      changes.length === 0 ? "nothing to do" : "this would be done"
    }`,
    ...result.steps.map(({ name, outcome, detail }) =>
      `  ${marks[outcome]} ${name.padEnd(NAME_WIDTH)} ${detail}`.trimEnd(),
    ),
    ...missingPermissions.map(({ privilege, on, purpose, grant, state }) => {
      const lacks = state === "missing" ? "Missing" : "Not known whether there is";
      return `  ! ${lacks}: ${privilege} on ${on}, to ${purpose}\n      ${grant}`;
    }),
    ...warningLines(result),
  ];
}

function warningLines({ warnings }: DeploymentResult): string[] {
  return warnings.map((warning) => `  Warning: ${warning}`);
}

function row(name: string, value: string | null | undefined): string[] {
  return value ? [`  ${name.padEnd(10)} ${value}`] : [];
}
