/**
 * Tokens for client credentials: a named principal's name is its client id, and its
 * token the secret.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/oauth.py`; RFC 6749, 4.4 and 5.2.
 */
import type { WorkspaceApi } from "./core/context.ts";
import { WORKSPACE_ID } from "./unity-catalog/catalogs.ts";

export const oauthTokens: WorkspaceApi = {
  name: "OAuth and discovery",
  isOpen: true,
  mount(routes, { principals, url }) {
    // SDKs look here before they have credentials, and for where to trade client credentials.
    routes.get("/.well-known/databricks-config", (c) =>
      c.json({ oidc_endpoint: `${url()}/oidc`, workspace_id: String(WORKSPACE_ID) }),
    );

    routes.get("/oidc/.well-known/oauth-authorization-server", (c) =>
      c.json({
        authorization_endpoint: `${url()}/oidc/v1/authorize`,
        token_endpoint: `${url()}/oidc/v1/token`,
      }),
    );

    routes.post("/oidc/v1/token", async (c) => {
      const form = new URLSearchParams(await c.req.text());
      if (form.get("grant_type") !== "client_credentials") {
        return c.json({ error: "unsupported_grant_type" }, 400);
      }
      const client = basicCredentials(c.req.header("authorization")) ?? {
        id: form.get("client_id") ?? "",
        secret: form.get("client_secret") ?? "",
      };
      const token = principals.issueToken(client);
      if (!token) {
        const error_description = "Client authentication failed";
        return c.json({ error: "invalid_client", error_description }, 401);
      }
      return c.json({
        access_token: token.accessToken,
        scope: form.get("scope") ?? "all-apis",
        token_type: "Bearer",
        expires_in: token.expiresInS,
      });
    });
  },
};

function basicCredentials(header: string | undefined) {
  const [, encoded] = /^Basic (.+)$/i.exec(header ?? "") ?? [];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? null : { id: text.slice(0, colon), secret: text.slice(colon + 1) };
}
