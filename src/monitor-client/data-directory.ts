/** Where a monitor of a workspace keeps what it knows, unless told otherwise: from the folder that a command runs in. */
export function dataDirectoryOf(host: string): string {
  return `.dspy-databricks/${new URL(host).host.replace(/[^\w.-]/g, "_")}`;
}
