/**
 * The secret that the `agent.yaml` of each example refers to, put into a workspace on this
 * machine: there the examples answer from recordings, and nobody is asked with it.
 */
const SCOPE = "agents";
const SECRET = { scope: SCOPE, key: "openai_api_key", string_value: "not needed here" };

export type Workspace = { readonly url: string; readonly token: string };

/** It is there already after an earlier start on the same data directory. */
export async function putExampleSecret(workspace: Workspace): Promise<void> {
  await post(workspace, "scopes/create", { scope: SCOPE });
  await post(workspace, "put", SECRET);
}

/** As a person would put it there. */
async function post({ url, token }: Workspace, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}/api/2.0/secrets/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer();
}
